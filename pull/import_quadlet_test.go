package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/units"
)

// Quadlet itself says what its files mean: what it would run with podman, the imported
// unit runs, with the same environment and the same rights.
func TestImportMeansWhatQuadletDoes(t *testing.T) {
	quadlet := "/usr/libexec/podman/quadlet"
	if _, err := os.Stat(quadlet); err != nil {
		quadlet = filepath.Join(host.Parts(), quadlet)
	}
	host.Need(t, quadlet)
	for _, lines := range []string{
		"",
		`Exec=sh -c "echo \"a b\" 'c'"`,
		`Exec=echo "a  b" 'c d' e\x20f g`, // an empty word would end the list
		`Exec=sh -c 'echo $$HOME $${X} $$$$'`,
		`Exec=echo 100%% of %p`,
		"Exec=one \\\n  two\\\n three",
		"Exec=one \\  \n  --two \\\n# not this\n  --three",
		"Exec=one\\\ntwo",
		"Exec=sh -c 'a \\\n   b'",
		"Exec=one \\\n\ttwo \\\n; not this\n\tthree\nUser=5",
		"Exec=first\nExec=last",
		`Environment="A=b c" D='e f' G=h\x20i`,
		`Environment=Q="a b" R=`,
		"Environment=A=1\nEnvironment=A=2 B=3",
		"Environment=A=1\nEnvironment=\nEnvironment=B=2",
		`Environment=PERCENT=50%% UNIT=%p`,
		`Environment=DOLLAR=$$x`,
		"ReadOnly=ture", "ReadOnly=true", "ReadOnly=1", "ReadOnly=y", "ReadOnly=T", "ReadOnly=On", "ReadOnly=YES", "ReadOnly=no", "ReadOnly=",
		"NoNewPrivileges=enable", "NoNewPrivileges=true", "NoNewPrivileges=t", "NoNewPrivileges=off",
		"RunInit=yes", "RunInit=y",
		"User=1000\nGroup=100", "User=app", "WorkingDir=/srv/a b",
		"AddCapability=NET_ADMIN SYS_TIME\nDropCapability=all",
		"Tmpfs=/a\nTmpfs=/b:size=1M,mode=700", "HostName=web", "ShmSize=1g", "Timezone=local",
		"Ulimit=nofile=1:2", "PidsLimit=7", "ContainerName=web-1", "StopTimeout=5",
		"PodmanArgs=--cap-add=NET_ADMIN --read-only -e \"A=b c\" --user 5:6 --security-opt no-new-privileges --init",
		"PodmanArgs=--env=A='x y' --workdir /w --hostname h",
	} {
		dir, out := t.TempDir(), t.TempDir()
		file := filepath.Join(dir, "web.container")
		writeFile(t, file, "[Container]\nImage=q.io/web:1\nNetwork=host\n"+lines+"\n")
		cmd := exec.Command(quadlet, "-dryrun", "-no-kmsg-log")
		cmd.Env = append(os.Environ(), "QUADLET_UNIT_DIRS="+dir)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: Quadlet does not take it: %v, %s", lines, err, said)
			continue
		}
		_, run, _ := strings.Cut(string(said), "\nExecStart=")
		run, _, _ = strings.Cut(run, "\n")
		want := ofPodman(t, run)

		im, err := importFile(file, filepath.Join(out, "web.syscontainer"))
		if err != nil {
			t.Errorf("%s: %v", lines, err)
			continue
		}
		got, errs := decoded(t, im.text)
		if len(errs) > 0 {
			t.Errorf("%s: %v in\n%s", lines, errs, im.text)
			continue
		}
		has := func(what, option string, ours bool) {
			if want.has(option) != ours {
				t.Errorf("%s: %s is %v, but podman's line is %s", lines, what, ours, run)
			}
		}
		same := func(what string, got, want []string) {
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q as in %s", lines, what, got, want, run)
			}
		}
		if !slices.Equal(got.Exec, want.command) {
			t.Errorf("%s: runs %q, want %q", lines, got.Exec, want.command)
		}
		same("environment", lastOf(got.Environment), lastOf(want.values("--env", "-e")))
		has("ReadOnly", "--read-only", got.ReadOnly)
		has("RunInit", "--init", got.RunInit)
		if nnp := slices.Contains(want.values("--security-opt"), "no-new-privileges"); nnp != got.NoNewPrivileges {
			t.Errorf("%s: NoNewPrivileges is %v, but podman's line is %s", lines, got.NoNewPrivileges, run)
		}
		if user := strings.Join(want.values("--user"), " "); user != got.User {
			t.Errorf("%s: user %q, want %q", lines, got.User, user)
		}
		if w := strings.Join(want.values("--workdir", "-w"), " "); w != got.WorkingDir {
			t.Errorf("%s: working directory %q, want %q", lines, got.WorkingDir, w)
		}
		if h := strings.Join(want.values("--hostname"), " "); h != got.HostName {
			t.Errorf("%s: host name %q, want %q", lines, got.HostName, h)
		}
		capabilities := func(names []string) (all []string) {
			for _, n := range names {
				all = append(all, strings.TrimPrefix(strings.ToUpper(n), "CAP_"))
			}
			return all
		}
		same("AddCapability", capabilities(got.AddCapability), capabilities(want.values("--cap-add")))
		same("DropCapability", capabilities(got.DropCapability), capabilities(want.values("--cap-drop")))
		var tmpfs []string
		for _, m := range got.Tmpfs {
			tmpfs = append(tmpfs, strings.TrimSuffix(m.Target+":"+strings.Join(m.Options, ","), ":"))
		}
		same("Tmpfs", tmpfs, want.values("--tmpfs"))
	}
}

// podmanRun is the line that Quadlet writes, taken apart as systemd does.
type podmanRun struct{ options, command []string }

func ofPodman(t *testing.T, line string) podmanRun {
	t.Helper()
	c, errs := decoded(t, "[Container]\nImage=q.io/x:1\nExec="+line+"\n")
	image := slices.Index(c.Exec, "q.io/web:1")
	if len(errs) > 0 || image < 0 {
		t.Fatalf("%q: %v", line, errs)
	}
	for i, word := range c.Exec {
		c.Exec[i] = strings.ReplaceAll(word, "$$", "$")
	}
	run := podmanRun{options: c.Exec[:image]}
	if len(c.Exec) > image+1 {
		run.command = c.Exec[image+1:]
	}
	return run
}

func (r podmanRun) has(option string) bool { return slices.Contains(r.options, option) }

// values are those of an option, written in one word or in two.
func (r podmanRun) values(names ...string) (all []string) {
	for i, word := range r.options {
		for _, name := range names {
			if value, ok := strings.CutPrefix(word, name+"="); ok {
				all = append(all, value)
			} else if word == name && i+1 < len(r.options) {
				all = append(all, r.options[i+1])
			}
		}
	}
	return all
}

// lastOf keeps the last assignment of each variable.
func lastOf(environment []string) (last []string) {
	for i, assignment := range environment {
		name, _, _ := strings.Cut(assignment, "=")
		if !slices.ContainsFunc(environment[i+1:], func(later string) bool { return strings.HasPrefix(later, name+"=") }) {
			last = append(last, assignment)
		}
	}
	return last
}

func decoded(t *testing.T, text string) (*units.Container, units.Problems) {
	t.Helper()
	set := units.Load("/nowhere", nil, units.Extra{Path: "/web.syscontainer", Text: text, Given: true})
	if len(set.Units) != 1 || len(set.Units[0].Errors) > 0 {
		t.Fatalf("%v in %s", set.Units, text)
	}
	c, errs, _ := set.Units[0].Container()
	return c, errs
}
