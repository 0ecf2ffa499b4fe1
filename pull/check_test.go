package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"syscontainer/pull/store"
)

var update = flag.Bool("update", false, "write golden files")

var lineNumber = regexp.MustCompile(`line \d+`)

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// plant makes files and, of a text "-> TARGET", links.
func plant(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		target, isLink := strings.CutPrefix(text, "-> ")
		if !isLink {
			writeFile(t, path, text)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
}

const good = "[Container]\nImage=q.io/good:1\n"

// stored makes a root think that it has an image, and runc.
func stored(t *testing.T, root, reference string) {
	t.Helper()
	digest := strings.Repeat("1", 64)
	plant(t, root, map[string]string{
		"var/lib/syscontainer/images/" + digest + "/rootfs/etc/empty": "",
		"usr/bin/runc": "",
		"var/lib/syscontainer/references/" + store.Escape(reference): "-> ../images/" + digest,
	})
}

// The tree has one of each kind of problem, and what must not be taken for one.
func TestCheckTree(t *testing.T) {
	root := t.TempDir()
	stored(t, root, "q.io/good:1")
	const d = "etc/containers/systemd/"
	plant(t, root, map[string]string{
		d + "good.syscontainer":                        good,
		d + "masked.syscontainer":                      "-> /dev/null",
		d + "empty.syscontainer":                       "",
		d + "typo.syscontainer":                        "[Container]\nImage=q.io/good:1\nImgae=x\n",
		d + "many.syscontainer":                        "[Container]\nImage=busybox\n  Volume = :x\nReadOnly=maybe\n[Service]\nUser=me\n",
		d + "dropped.syscontainer":                     good,
		d + "dropped.syscontainer.d/10.conf":           "[Container]\nEnvironment=\"A\n",
		d + "syntax.syscontainer":                      "[Container\nImage=q.io/good:1\n",
		d + "we ird.syscontainer":                      good,
		d + "nothing.syscontainer":                     "[Unit]\nDescription=x\n",
		d + "dangling.syscontainer":                    "-> /nowhere",
		d + "taken.syscontainer":                       good,
		"etc/systemd/system/taken.service":             "[Service]\nExecStart=/bin/true\n",
		d + "late.syscontainer":                        "-> /var/lib/late.syscontainer",
		"var/lib/late.syscontainer":                    good,
		d + "linked":                                   "-> ../../../home/units",
		"home/units/below.syscontainer":                good,
		d + "tpyo.syscontainer.d/10.conf":              "[Container]\nUser=1\n",
		d + "i@x.syscontainer.d/10.conf":               "[Container]\nUser=1\n",
		d + "lost-.syscontainer.d/10.conf":             "[Container]\nUser=1\n",
		d + "zone.syscontainer":                        "[Container]\nImage=q.io/good:1\nTimezone=Europe/Berlni\nNetwork=ns:/run/netns/blue\nMount=type=bind,src=/srv/no,dst=/x\nAddDevice=/dev/no\nAddDevice=-/opt/no\nAddDevice=/opt/no:/dev/no\nEnvironmentFile=-/etc/no /etc/missing\nConfigPatch=/etc/no.json\n",
		d + "rootfs.syscontainer":                      "[Container]\nRootfs=/etc/file\nExec=/x\nRunInit=yes\n",
		"etc/file":                                     "",
		d + "gone":                                     "-> /var/gone",
		"usr/share/containers/systemd/i@.syscontainer": "[Container]\nImage=q.io/i:%i\nVolume=/srv/%i:/x\nVolume=/srv/no:/y\n",
		d + "files.syscontainer": `[Container]
Image=q.io/good:1
Volume=/srv/no:/a
Volume=/var/lib/made:/b
Volume=/run/other.sock:/c
Volume=/run/mine.sock:/d
Volume=/etc/link:/e
Volume=/etc/out:/f
Volume=/dev/null:/g
Runtime=youki
[Service]
RuntimeDirectory=mine.sock
`,
		d + "files.syscontainer.d/10.conf": "[Container]\nUser=1\n",
		"etc/link":                         "-> /etc/systemd",
		"etc/out":                          "-> ../../../../../../../../../../../usr/bin/env",
		d + "back.syscontainer":            "[Container]\nImage=q.io/good:1\nVolume=/srv/taken-back:/a\nVolume=\nSeccompProfile=/srv/taken-back\nSeccompProfile=unconfined\n",
		d + "fetch.syscontainer":           "[Container]\nImage=q.io/absent:1\n",
		d + "never.syscontainer":           "[Container]\nImage=q.io/absent:1\nPull=never\n",
		d + "local.syscontainer":           "[Container]\nImage=oci:/srv/no:1\n",
	})
	stdout, stderr, status := command(t, "--root", root, "check")
	golden(t, "check/tree", stdout+"stderr: "+stderr)
	if status != 1 {
		t.Errorf("status %d", status)
	}
	for _, quiet := range []string{"good.", "masked", "/empty", "/etc/link", "taken-back", "/made", "mine.sock is", "/dev/null:"} {
		if strings.Contains(stdout, quiet) {
			t.Errorf("speaks of %s", quiet)
		}
	}

	// The same as JSON: as many problems, and shared ones of every unit.
	stdout, _, status = command(t, "--root", root, "check", "--json")
	var found []finding
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || status != 1 {
		t.Fatalf("%v, status %d, %s", err, status, stdout)
	}
	seen := false
	for _, f := range found {
		seen = seen || f == finding{"many.syscontainer", "many.service", "/etc/containers/systemd/many.syscontainer", 6, f.Column, "error",
			"User= in [Service] is not possible: the runtime must run as root", "write User= in [Container]"}
	}
	if !seen {
		t.Errorf("no error of User= in %s", stdout)
	}
}

func TestCheckIsQuiet(t *testing.T) {
	root := t.TempDir()
	stored(t, root, "q.io/good:1")
	plant(t, root, map[string]string{"etc/containers/systemd/good.syscontainer": good, "etc/containers/systemd/masked.syscontainer": "-> /dev/null"})
	if stdout, stderr, status := command(t, "--root", root, "check"); stdout+stderr != "" || status != 0 {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	if stdout, _, status := command(t, "--root", root, "check", "--json"); stdout != "[]\n" || status != 0 {
		t.Errorf("status %d, %s", status, stdout)
	}
}

// Nothing found must not look like nothing wrong.
func TestCheckOfNoRoot(t *testing.T) {
	for root, want := range map[string]string{"/nowhere/at/all": "no such file or directory", "/dev/null": "is no directory"} {
		if stdout, stderr, status := command(t, "--root", root, "check"); stdout != "" || status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s%s", root, status, stdout, stderr)
		}
	}
}

// A file is judged as if it lay in the search path; problems of others are theirs.
func TestCheckFile(t *testing.T) {
	root, away := t.TempDir(), t.TempDir()
	stored(t, root, "q.io/good:1")
	plant(t, root, map[string]string{
		"etc/containers/systemd/web.syscontainer":           "[Container]\nImage=no\n",
		"etc/containers/systemd/web.syscontainer.d/10.conf": "[Container]\nPull=perhaps\n",
		"etc/containers/systemd/broken.syscontainer":        "[Container]\nImage=no\n",
		"etc/containers/systemd/named.syscontainer":         good + "[Install]\nAlias=other.service\n",
		"etc/containers/systemd/late.syscontainer":          "-> /var/late",
		"var/late": good,
	})
	plant(t, away, map[string]string{
		"web.syscontainer":            good,
		"web.syscontainer.d/20.conf":  "[Container]\nReadOnly=perhaps\n",
		"alone.syscontainer":          good,
		"masked.syscontainer":         "",
		"other.syscontainer":          good + "[Install]\nAlias=alias.service named.service\n",
		"web.conf":                    "",
		"below/alone.syscontainer":    good,
		"below/we ird.syscontainer":   good,
		"below/notes.syscontainer/x":  "",
		"below/rel.syscontainer":      "[Container]\nImage=q.io/good:1\nVolume=/etc/no:/x\n",
		"below/rel.syscontainer.d/no": "not read",
	})
	for _, c := range []struct {
		args, stdin    string
		stdout, stderr string // stdout: a part of it if it begins with a slash
		status         int
	}{
		{"alone.syscontainer", "", "", "", 0},
		{"web.syscontainer", "", `/etc/containers/systemd/web.syscontainer.d/10.conf:2: error: Pull=: "perhaps" is not possible
    hint: write "missing", "never", "always" or "newer"
web.syscontainer.d/20.conf:2: error: ReadOnly=: "perhaps" is no boolean
    hint: write yes or no
`, "syscontainer: 1 unit would fail\n", 1},
		{"./below/rel.syscontainer alone.syscontainer", "", "./below/rel.syscontainer:3: warning: Volume=: /etc/no is not there\n", "", 0},
		{"other.syscontainer", "", "/etc/containers/systemd/named.syscontainer", "syscontainer: 1 unit would fail\n", 1},
		{"masked.syscontainer", "", "masked.syscontainer: note: takes the unit masked away: it is empty, or a link to /dev/null\n", "", 0},
		{"below/notes.syscontainer", "", "/notes.syscontainer: error: is a directory, where a file is expected\n", "syscontainer: 1 unit would fail\n", 1},
		{"-", good, "", "", 0},
		{"-", "[Container]\nImage=no\n", `-:2: error: Image=: image "no" names no registry
    hint: write the registry too, for example docker.io/library/no
`, "syscontainer: 1 unit would fail\n", 1},
		{"--name web -", good, `/etc/containers/systemd/web.syscontainer.d/10.conf:2: error: Pull=: "perhaps" is not possible
    hint: write "missing", "never", "always" or "newer"
web.syscontainer.d/20.conf:2: error: ReadOnly=: "perhaps" is no boolean
    hint: write yes or no
`, "syscontainer: 1 unit would fail\n", 1},
		{"nowhere.syscontainer", "", "", "syscontainer: lstat nowhere.syscontainer: no such file or directory\n", 1},
		{"web.conf", "", "", "syscontainer: check: \"web.conf\" is no .syscontainer file\nhint: a drop-in is checked with its unit; of a file of another name: --name NAME - <FILE\n", 2},
		{"alone.syscontainer below/alone.syscontainer", "", "", "syscontainer: check: alone.syscontainer and below/alone.syscontainer are one unit, check one after the other\n", 2},
		{"--name ../x -", good, "", "syscontainer: check: --name: \"../x\" is no unit name\n", 2},
		{"--name x alone.syscontainer", "", "", "syscontainer: check: --name is for standard input, write - for FILE\n", 2},
		{"--expect x alone.syscontainer", "", "", "syscontainer: check: --expect is for all units, not for a FILE\n", 2},
	} {
		stdout, stderr, status := commandIn(t, away, c.stdin, append([]string{"--root", root, "check"}, strings.Fields(c.args)...)...)
		if stdout := withoutColumns(stdout); stdout != c.stdout && (c.stdout == "" || c.stdout[0] != '/' || !strings.Contains(stdout, c.stdout)) || stderr != c.stderr || status != c.status {
			t.Errorf("check %s: status %d\n%s%s\nwant %d\n%s%s", c.args, status, stdout, stderr, c.status, c.stdout, c.stderr)
		}
	}
	// One that does lie in the search path is also told where it really is.
	stdout, _, status := commandIn(t, root, "", "--root", ".", "check", "etc/containers/systemd/late.syscontainer")
	if status != 0 || stdout != "etc/containers/systemd/late.syscontainer: warning: lies in /var/late, which is not there at boot if /var is mounted later\n" {
		t.Errorf("status %d, %s", status, stdout)
	}
	stdout, _, status = commandIn(t, away, "", "--root", root, "check", "below/we ird.syscontainer")
	if !strings.HasPrefix(stdout, `below/we ird.syscontainer: error: "we ird" is no unit name`) || status != 1 {
		t.Errorf("status %d, %s", status, stdout)
	}
}

// withoutColumns is for messages of which the column is of no matter.
func withoutColumns(s string) string {
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		parts := strings.SplitN(l, ":", 4)
		if len(parts) == 4 && strings.Trim(parts[1], "0123456789") == "" && parts[2] != "" && strings.Trim(parts[2], "0123456789") == "" {
			lines[i] = parts[0] + ":" + parts[1] + ":" + parts[3]
		}
	}
	return strings.Join(lines, "")
}

func commandIn(t *testing.T, dir, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SYSCONTAINER_TEST_MAIN=1")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// A tree is compared to the last byte, and nobody is told that what differs is alike.
func TestCheckExpect(t *testing.T) {
	root, tree := t.TempDir(), t.TempDir()
	stored(t, root, "q.io/good:1")
	plant(t, root, map[string]string{
		"etc/containers/systemd/web.syscontainer": good + "[Install]\nWantedBy=multi-user.target\n",
	})
	text := func(name string) string {
		stdout, _, _ := command(t, "--root", root, "cat", "--service", name)
		return stdout
	}
	right := map[string]string{
		"web.service":                         text("web"),
		"multi-user.target.wants/web.service": "-> ../web.service",
	}
	plant(t, tree, right)
	if stdout, stderr, status := command(t, "--root", root, "check", "--expect", tree); stdout+stderr != "" || status != 0 {
		t.Fatalf("the same: status %d\n%s%s", status, stdout, stderr)
	}
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"line":    {map[string]string{"web.service": strings.Replace(right["web.service"], "KillMode=mixed", "KillMode=none", 1)}, `web.service: error: differs at line N: want "KillMode=none", got "KillMode=mixed"`},
		"shorter": {map[string]string{"web.service": strings.TrimSuffix(right["web.service"], "\n")}, `without a line end, got "ExecStopPost=-/usr/libexec/`},
		"longer":  {map[string]string{"web.service": right["web.service"] + "X=1\n"}, `want "X=1", got the end of the file`},
		"link":    {map[string]string{"multi-user.target.wants/web.service": "-> /x"}, "multi-user.target.wants/web.service: error: differs: want a link to /x, got one to ../web.service"},
		"kind":    {map[string]string{"multi-user.target.wants/web.service": "text"}, "web.service: error: differs: the generator makes a link to ../web.service"},
		"other":   {map[string]string{"web.service": "-> x"}, "web.service: error: differs: the generator makes a file"},
		"more":    {map[string]string{"x.service": ""}, "x.service: error: not expected: the generator does not make it"},
		"missing": {map[string]string{"web.service": "delete"}, "web.service: error: missing: the generator makes it"},
	} {
		for file, text := range c.change {
			os.Remove(filepath.Join(tree, file))
			if text != "delete" {
				plant(t, tree, map[string]string{file: text})
			}
		}
		stdout, stderr, status := command(t, "--root", root, "check", "--expect", tree)
		shown := lineNumber.ReplaceAllString(stdout, "line N")
		if !strings.Contains(shown, c.want) || strings.Count(stdout, "\n") != 1 || status != 1 || !strings.HasSuffix(stderr, "differs from what the generator makes\n") {
			t.Errorf("%s: status %d\n%s%s\nwant %s", name, status, stdout, stderr, c.want)
		}
		for file := range c.change {
			os.Remove(filepath.Join(tree, file))
			if text, known := right[file]; known {
				plant(t, tree, map[string]string{file: text})
			}
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	plant(t, "/", map[string]string{link: "-> " + tree})
	if stdout, stderr, status := command(t, "--root", root, "check", "--expect", link); stdout+stderr != "" || status != 0 {
		t.Errorf("by a link: status %d\n%s%s", status, stdout, stderr)
	}
	if _, stderr, status := command(t, "--root", root, "check", "--expect", tree+"/nowhere"); status != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("no tree: status %d, %s", status, stderr)
	}
}
