package convert

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"syscontainer/units"
)

// renderPath is where Exec lines find the program in tests.
const renderPath = "/usr/libexec/syscontainer/render"

var update = flag.Bool("update", false, "write the golden files")

// need skips a test whose tool is absent, or fails it where all must be there.
func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
		t.Fatal("needs " + tool)
	}
	t.Skip("needs " + tool)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// generate converts a root with the given .syscontainer files, by path or by bare
// name for /etc/containers/systemd, and returns what is to be written: each file with
// its text, each link with "-> " and its target; and what is said.
func generate(t testing.TB, files map[string]string) (out map[string]string, said string, failed bool) {
	t.Helper()
	out, said, p := generatePlan(t, files)
	return out, said, p.Failed()
}

func generatePlan(t testing.TB, files map[string]string) (out map[string]string, said string, p *Plan) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if !strings.HasPrefix(name, "/") {
			name = "/etc/containers/systemd/" + name
		}
		must(t, os.MkdirAll(filepath.Dir(root+name), 0o755))
		must(t, os.WriteFile(root+name, []byte(text), 0o644))
	}
	p = Convert(units.Load(root, units.Directories()), Options{Root: root, Render: renderPath})
	var b strings.Builder
	b.WriteString(p.Problems.Error())
	for _, s := range p.Services {
		for _, problem := range slices.Concat(s.Errors, s.Warnings) {
			b.WriteString(problem.Error() + "\n")
		}
	}
	return treeOf(p), b.String(), p
}

func listing(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		must(t, err)
		relative, _ := filepath.Rel(dir, name)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			must(t, err)
			out[relative] = "-> " + target
		case !e.IsDir():
			data, err := os.ReadFile(name)
			must(t, err)
			out[relative] = string(data)
		}
		return nil
	}))
	return out
}

// golden is what testdata/units becomes.
func golden(t testing.TB) (out map[string]string, stderr string) {
	t.Helper()
	files := make(map[string]string)
	must(t, filepath.WalkDir("testdata/units", func(name string, e fs.DirEntry, err error) error {
		must(t, err)
		if !e.IsDir() {
			data, err := os.ReadFile(name)
			must(t, err)
			files[strings.TrimPrefix(name, "testdata/units/")] = string(data)
		}
		return nil
	}))
	out, stderr, _ = generate(t, files)
	return out, stderr
}

func TestGolden(t *testing.T) {
	out, stderr := golden(t)
	var links []string
	got := map[string]string{"stderr": stderr}
	for name, text := range out {
		if strings.HasPrefix(text, "-> ") {
			links = append(links, name+" "+text+"\n")
		} else {
			got[name] = text
		}
	}
	slices.Sort(links)
	got["links"] = strings.Join(links, "")
	if *update {
		must(t, os.RemoveAll("testdata/want"))
		must(t, os.MkdirAll("testdata/want", 0o755))
		for name, text := range got {
			must(t, os.WriteFile("testdata/want/"+name, []byte(text), 0o644))
		}
	}
	want := listing(t, "testdata/want")
	for name, text := range got {
		if want[name] != text {
			t.Errorf("%s is\n%s\nwant\n%s", name, text, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Error(name, " is missing")
	}
}

func TestSameBytesEachTime(t *testing.T) {
	first, stderr := golden(t)
	for range 9 {
		again, said := golden(t)
		if fmt.Sprint(first) != fmt.Sprint(again) || said != stderr {
			t.Fatal("another run, another result")
		}
	}
}

// No start waits for the network, unless its author says so: what is ordered there
// cannot be taken back by a drop-in.
func TestNobodyWaitsForTheNetwork(t *testing.T) {
	out, _ := golden(t)
	for name, text := range out {
		if strings.Contains(text, "network-online") {
			t.Error(name, " waits:\n", text)
		}
	}
}

// systemd's own parser is the judge: it must have nothing to say about any unit.
func TestVerify(t *testing.T) {
	need(t, "systemd-analyze")
	out, _ := golden(t)
	dir := t.TempDir()
	render := filepath.Join(dir, "render") // stands in, for verify looks for the programs
	must(t, os.WriteFile(render, []byte("#!/bin/sh\n"), 0o755))
	var names []string
	for name, text := range out {
		if strings.HasPrefix(text, "-> ") {
			continue
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, renderPath, render)), 0o644))
		if strings.Contains(name, "@.") {
			continue
		}
		names = append(names, filepath.Join(dir, name))
	}
	for _, name := range names {
		cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v\n%s", filepath.Base(name), err, said)
		}
	}
}

// Names that others have are never overridden.
func TestCollisions(t *testing.T) {
	const c = "[Container]\nImage=q.io/a\n"
	out, stderr, failed := generate(t, map[string]string{
		"a.syscontainer": c, "/etc/systemd/system/a.service": "[Service]\n",
		"b.syscontainer": c, "/usr/lib/systemd/system/b.service": "[Service]\n",
		"m.syscontainer": c, "/run/systemd/system/m.service": "", // systemctl mask --runtime
		"q.syscontainer": c, "q.container": c,
		"r.syscontainer": c + "[Install]\nAlias=s.service vendor.service\n", "s.syscontainer": c, "/usr/lib/systemd/system/vendor.service": "[Service]\n",
		"u.syscontainer": c + "[Install]\nAlias=same.service\n", "v.syscontainer": c + "[Install]\nAlias=same.service\n",
	})
	var names []string
	for name := range out {
		names = append(names, name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "q.service r.service s.service same.service u.service v.service" || !failed {
		t.Error(got, failed)
	}
	for _, want := range []string{
		"a.syscontainer: no service is made of it: /etc/systemd/system/a.service is there already",
		"b.syscontainer: no service is made of it: /usr/lib/systemd/system/b.service is there already",
		"q.syscontainer: /etc/containers/systemd/q.container becomes q.service too",
		"Alias=: s.service is taken by /etc/containers/systemd/s.syscontainer",
		"Alias=: vendor.service is taken by /usr/lib/systemd/system/vendor.service",
		"Alias=: same.service is taken by /etc/containers/systemd/u.syscontainer",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("nobody said %q:\n%s", want, stderr)
		}
	}
	for _, name := range []string{"q", "r", "v"} {
		if !strings.Contains(out[name+".service"], "--fail") {
			t.Error(name, " does not fail")
		}
	}
	if out["same.service"] != "-> u.service" || strings.Contains(stderr, "m.syscontainer") {
		t.Error(out["same.service"], stderr)
	}

	// With Quadlet installed the name is Quadlet's.
	out, stderr, _ = generate(t, map[string]string{"q.syscontainer": c, "q.container": c, "/usr/lib/systemd/system-generators/podman-system-generator": "x"})
	if len(out) > 0 || !strings.Contains(stderr, "no service is made of it: /etc/containers/systemd/q.container becomes q.service too") {
		t.Error(out, stderr)
	}
}

func TestRefusals(t *testing.T) {
	allowed := []string{"Type=notify", "Type=oneshot", "Type=oneshot\nRestart=on-failure", "Type=simple\nType=notify", "ReadOnlyPaths=/\nReadOnlyPaths=", "Delegate=true", "KillMode=mixed", "NotifyAccess=all", "ProtectSystem=full", "DynamicUser=no",
		"ReadOnlyPaths=/etc /usr", "SystemCallFilter=~@reboot", "DevicePolicy=closed", "RootDirectory=/", "ExecStart=", "User=",
		"NoNewPrivileges=yes", "ExecStartPost=/bin/true", "RestrictNamespaces=no", "Slice=x.slice", "RemainAfterExit=yes"}
	refused := []string{"Type=forking", "Type=oneshot\nRestart=always", "Type=oneshot\nRestart=on-success", "Type=simple", "Delegate=no", "Delegate=cpu", "KillMode=process", "NotifyAccess=main", "ProtectSystem=strict",
		"DynamicUser=yes", "ReadOnlyPaths=/", "ReadOnlyPaths=-/run", "ReadOnlyPaths=/etc /var/lib", "SystemCallFilter=@system-service",
		"DevicePolicy=strict", "RootDirectory=/x", "RootImage=/x", "ExecStart=/bin/sh", "User=nobody", "Group=x", "PIDFile=/run/x", "ExitType=cgroup",
		"ProtectControlGroups=yes", "ProtectControlGroups=private", "RestrictNamespaces=yes", "RestrictNamespaces=net", "CapabilityBoundingSet=CAP_SYS_ADMIN", "DelegateSubgroup=x"}
	for i, lines := range [][]string{allowed, refused} {
		for _, l := range lines {
			out, stderr, failed := generate(t, map[string]string{"a.syscontainer": "[Container]\nImage=q.io/a\n[Service]\n" + l + "\n"})
			if failed != (i == 1) || failed && !strings.Contains(stderr, "a.syscontainer:"+strconv.Itoa(4+strings.Count(l, "\n"))+": ") {
				t.Error(l, failed, stderr, out)
			}
			if n := strings.Count(out["a.service"], "\nExecStart="); n != 1 {
				t.Error(l, n, " times ExecStart=")
			}
		}
	}
}

func TestStopping(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "TimeoutStopSec=10s",
		"StopTimeout=0":                  "TimeoutStopSec=1us",
		"StopTimeout=1.5":                "TimeoutStopSec=1500000us",
		"StopTimeout=infinity":           "TimeoutStopSec=infinity",
		"[Service]\nTimeoutStopSec=3min": "TimeoutStopSec=3min",
		"[Service]\nTimeoutSec=1":        "TimeoutSec=1",
		"StopTimeout=5\n[Service]\nTimeoutStopSec=9": "TimeoutStopSec=9 TimeoutStopSec=5s",
	} {
		out, _, _ := generate(t, map[string]string{"a.syscontainer": "[Container]\nImage=q.io/a\n" + text + "\n"})
		var got []string
		_, service, _ := strings.Cut(out["a.service"], "[Service]")
		for l := range strings.Lines(service) {
			if strings.HasPrefix(l, "Timeout") {
				got = append(got, strings.TrimSpace(l))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", text, got, want)
		}
	}
}

// A list of units is split where systemd splits it: not at blanks of other alphabets.
func TestListsAreSplitAsSystemdDoes(t *testing.T) {
	out, said, _ := generate(t, map[string]string{
		"db.syscontainer": "[Container]\nImage=q.io/a\n",
		"a.syscontainer":  "[Unit]\nAfter=x.service\u00a0db.syscontainer\tdb.syscontainer\n[Container]\nImage=q.io/a\n",
	})
	if !strings.Contains(out["a.service"], "\nAfter=x.service\u00a0db.service db.service\n") || !strings.Contains(said, "there is no x.service") {
		t.Error(out["a.service"], said)
	}
}
