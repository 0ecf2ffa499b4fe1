package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

func payload() *running {
	set := []string{"CAP_CHOWN", "CAP_SETUID"}
	c := &running{root: "/nonexistent"}
	c.spec.Process = &rspec.Process{
		Args: []string{"serve"}, Cwd: "/srv", NoNewPrivileges: true,
		Env:          []string{"PATH=/bin", "HOME=/root", "A=1", "NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=1", "LISTEN_FDS=1"},
		Capabilities: &rspec.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set},
	}
	return c
}

func TestExecKeepsWhatConfines(t *testing.T) {
	c := payload()
	o := execOptions{args: []string{"ls", "-l"}, env: []string{"A=2", "B=x=y"}, term: "vt100"}
	p, err := o.process(c)
	if err != nil {
		t.Fatal(err)
	}
	want := *c.spec.Process
	want.Args, want.Env = o.args, []string{"PATH=/bin", "HOME=/root", "A=2", "B=x=y"}
	if !reflect.DeepEqual(p, &want) {
		t.Errorf("got  %+v\nwant %+v", p, &want)
	}
	o.tty, o.dir = true, "/tmp"
	if p, err = o.process(c); err != nil || !p.Terminal || p.Cwd != "/tmp" || !slices.Contains(p.Env, "TERM=vt100") {
		t.Errorf("with a terminal: %+v, %v", p, err)
	}
}

// A user other than root beside a payload that is root must not get root's rights.
func TestExecAsUser(t *testing.T) {
	c := payload()
	c.root = t.TempDir()
	writeFile(t, c.root+"/etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n")
	writeFile(t, c.root+"/etc/group", "extra:x:2000:app\n")
	p, err := (&execOptions{args: []string{"id"}, user: "app"}).process(c)
	if err != nil {
		t.Fatal(err)
	}
	bounding := c.spec.Process.Capabilities.Bounding
	if !reflect.DeepEqual(p.User, rspec.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{2000}}) ||
		!reflect.DeepEqual(p.Capabilities, &rspec.LinuxCapabilities{Bounding: bounding}) || !slices.Contains(p.Env, "HOME=/home/app") {
		t.Errorf("%+v, %+v", p, p.Capabilities)
	}
	c.spec.Process = p // a payload that is app, and root beside it
	if p, err = (&execOptions{args: []string{"id"}, user: "0"}).process(c); err != nil || !slices.Equal(p.Capabilities.Effective, bounding) {
		t.Errorf("root: %+v, %v", p.Capabilities, err)
	}
	if _, err := (&execOptions{args: []string{"id"}, user: "nobody"}).process(c); err == nil || !strings.Contains(err.Error(), `"nobody" is not in`) {
		t.Errorf("an unknown user: %v", err)
	}
}

// A payload that replaces its /etc/passwd leads the command to no file of the host, and
// keeps nobody waiting.
func TestExecAccountsStayInside(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "passwd")
	writeFile(t, outside, "spy:x:0:0::/:\n")
	for _, link := range []string{outside, strings.Repeat("../", 30) + outside, "/proc/self/root" + outside} {
		c := payload()
		c.root = t.TempDir()
		if err := os.Mkdir(c.root+"/etc", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(link, c.root+"/etc/passwd"); err != nil {
			t.Fatal(err)
		}
		if p, err := (&execOptions{args: []string{"id"}, user: "spy"}).process(c); err == nil {
			t.Errorf("link to %s: %+v", link, p.User)
		}
	}
	c := payload()
	c.root = t.TempDir()
	if err := os.Mkdir(c.root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(c.root+"/etc/passwd", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (&execOptions{args: []string{"id"}, user: "spy"}).process(c); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a pipe as /etc/passwd: %v", err)
	}
}

// Bundles that an unclean end left, or a hand: none is taken for a container.
func TestExecNotRunning(t *testing.T) {
	root := t.TempDir()
	bundle := root + "/run/syscontainer/web"
	t.Setenv("SYSCONTAINER_UNIT_DIRS", "/units")
	writeFile(t, root+"/units/site.syscontainer", "[Container]\nImage=q.io/web:1\nServiceName=web\n")
	for _, step := range []struct{ file, content, want string }{
		{"", "", "web does not run\nhint: systemctl start web"},
		{"launch.json", "{", "launch.json: unexpected end"},
		{"launch.json", "{}", "names no container"},
		{"launch.json", `{"runtime":"runc","id":"web"}`, "does not run"},
		{"config.json", `{}`, "config.json: there is no process in it"},
		{"config.json", `{"process":{"cwd":"/","args":["a"],"user":{"uid":0,"gid":0}},"linux":{"cgroupsPath":"/web.service/payload"}}`, "does not run"},
		{"pid", "1", "does not run"},
		{"pid", "999999999", "does not run"},
	} {
		if step.file != "" {
			writeFile(t, bundle+"/"+step.file, step.content)
		}
		for _, name := range []string{"site", "web", "web.service", "site.syscontainer"} {
			_, stderr, status := command(t, "--root", root, "exec", name, "ls")
			if status != 1 || !strings.Contains(stderr, step.want) {
				t.Errorf("exec %s with %s = %s: status %d, %s", name, step.file, step.content, status, stderr)
			}
		}
	}
	// A process of another service has the number now.
	writeFile(t, bundle+"/pid", "2")
	if _, stderr, status := command(t, "--root", root, "exec", "web", "ls"); status != 1 || !strings.Contains(stderr, "does not run") {
		t.Errorf("another's process: %d, %s", status, stderr)
	}
	if _, stderr, _ := command(t, "--root", root, "exec", "../web", "ls"); !strings.Contains(stderr, "does not run") {
		t.Errorf("a path: %s", stderr)
	}
	if _, stderr, _ := command(t, "--root", root, "exec", "wep", "ls"); !strings.Contains(stderr, `no unit "wep"`) || strings.Contains(stderr, "does not run") {
		t.Errorf("another name: %s", stderr)
	}
}

func TestJournalFilter(t *testing.T) {
	for _, c := range []struct {
		root, service string
		follow        bool
		lines, since  string
		want          string
	}{
		{"/", "web", false, "", "", "--unit=web.service --boot"},
		{"/", "web@1", true, "5", "", "--unit=web@1.service --boot --lines=5 --follow"},
		{"/", "web@", false, "", "-1h", "--unit=web@*.service --since=-1h"},
		{"/", `a\x2db`, false, "", "", `--unit=a\x2db.service --boot`},
		{"/", `a\x2db@`, false, "", "", `--unit=a\\x2db@*.service --boot`},
		{"/mnt", "web", false, "", "", "--unit=web.service --root=/mnt"},
	} {
		if got := strings.Join(journalFilter(c.root, c.service, c.follow, c.lines, c.since), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.service, got, c.want)
		}
	}
}
