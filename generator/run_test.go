package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test itself is the program when it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv("SYSCONTAINER_TEST_GENERATOR") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// generator is a process that reads units from the directories, separated by colons.
func generator(t testing.TB, directories string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = []string{"SYSCONTAINER_TEST_GENERATOR=1", "SYSCONTAINER_UNIT_DIRS=" + directories}
	return cmd
}

func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		must(t, err)
		relative, _ := filepath.Rel(dir, name)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			out[relative], err = os.Readlink(name)
			must(t, err)
		case !e.IsDir():
			data, err := os.ReadFile(name)
			must(t, err)
			out[relative] = string(data)
		}
		return nil
	}))
	return out
}

func writeUnits(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := range n {
		text := fmt.Sprintf("[Container]\nImage=q.io/a:%d\nEnvironment=PADDING=%s\n[Install]\nWantedBy=multi-user.target\nAlias=also-%d.service\n", i, strings.Repeat("x", 5000), i)
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("unit-%d.syscontainer", i)), []byte(text), 0o644))
	}
	return dir
}

// Many reloads at once, by people who do not wait for systemd: no file is torn, none is
// missing, nothing is left over.
func TestManyAtOnce(t *testing.T) {
	in, alone, together := writeUnits(t, 200), t.TempDir(), t.TempDir()
	if out, err := generator(t, in, alone).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatal(err, string(out))
	}
	var all []*exec.Cmd
	var said bytes.Buffer
	for range 8 {
		cmd := generator(t, in, together)
		cmd.Stderr = &said
		must(t, cmd.Start())
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	want, got := tree(t, alone), tree(t, together)
	if said.Len() > 0 || len(want) != 600 || !maps.Equal(want, got) {
		t.Errorf("%s; %d files alone, %d together", said.String(), len(want), len(got))
	}
	for name := range got {
		if got[name] != want[name] {
			t.Error(name)
		}
	}
}

// What lies in the directory already is replaced; a directory of the name is reported.
func TestOverOldOutput(t *testing.T) {
	in, out := writeUnits(t, 3), t.TempDir()
	must(t, os.WriteFile(out+"/unit-0.service", []byte("old, and longer"), 0o600))
	must(t, os.Symlink("/nowhere", out+"/unit-1.service"))
	must(t, os.Mkdir(out+"/unit-2.service", 0o755))
	must(t, os.Symlink("/somewhere/else", out+"/also-0.service"))
	said, err := generator(t, in, out).CombinedOutput()
	got := tree(t, out)
	if err == nil || strings.Count(string(said), "\n") != 1 || !strings.Contains(string(said), out+"/unit-2.service: cannot be written: ") {
		t.Errorf("%v %s", err, said)
	}
	if !strings.Contains(got["unit-0.service"], "Image=q.io/a:0") || !strings.Contains(got["unit-1.service"], "Image=q.io/a:1") || got["also-0.service"] != "unit-0.service" {
		t.Error(got)
	}
	for name := range got {
		if strings.HasPrefix(filepath.Base(name), ".") {
			t.Error(name, "is left over")
		}
	}
}

// Files at the edge of what can be, all in one directory: each is told, none hurts
// another, nothing hangs.
func TestEdges(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	file := func(name, text string) { must(t, os.WriteFile(filepath.Join(in, name), []byte(text), 0o644)) }
	good := "[Container]\nImage=q.io/a\n"
	long := strings.Repeat("n", 255-len(".syscontainer"))
	file(long+".syscontainer", good)
	file("large.syscontainer", good+strings.Repeat("#"+strings.Repeat("x", 1000)+"\n", 1<<14+1000))
	file("errors.syscontainer", good+strings.Repeat("ReadOnly=ture\n", 200_000))
	file("wanted.syscontainer", good+"[Install]\n"+strings.Repeat("WantedBy=a.target\n", 200_000))
	file("longline.syscontainer", good+"X-A="+strings.Repeat("x", 1<<20)+"\n")
	file("almost.syscontainer", good+"X-A="+strings.Repeat("x", 1<<20-10)+"\n")
	must(t, os.Symlink(".", in+"/loop"))
	must(t, os.Symlink("loop2", in+"/loop2"))
	must(t, os.Symlink("..", in+"/loop/up"))
	must(t, syscall.Mkfifo(in+"/fifo.syscontainer", 0o644))
	deep := in
	for range 40 {
		deep += "/d"
	}
	must(t, os.MkdirAll(deep, 0o755))
	must(t, os.WriteFile(deep+"/deep.syscontainer", []byte(good), 0o644))
	file("good.syscontainer", good)
	cmd := generator(t, in, out)
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	err := cmd.Run()
	if took := time.Since(start); took > 30*time.Second {
		t.Error("took ", took)
	}
	if err == nil || cmd.ProcessState.ExitCode() != exitErrors {
		t.Error(err)
	}
	got := tree(t, out)
	for name, want := range map[string]string{long + ".service": "--start", "almost.service": "--start", "good.service": "--start", "wanted.service": "--start",
		"large.service": "is larger than 16 MiB", "longline.service": "longer than 1 MiB", "errors.service": "and 199900 more", "fifo.service": "is no file"} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%.30s: %.300s", name, got[name])
		}
	}
	if _, written := got["deep.service"]; written || !strings.Contains(said.String(), "too many directories") {
		t.Errorf("%.2000s", said.String())
	}
	if lines := strings.Count(said.String(), "\n"); lines > 400 {
		t.Error(lines, " lines of messages")
	}
}

// Not even root can read a directory that is not there any more, or of a file system
// that fails; for anybody else there is the mode.
func TestUnreadableDirectory(t *testing.T) {
	in, out := writeUnits(t, 1), t.TempDir()
	must(t, os.Mkdir(in+"/closed", 0))
	must(t, os.Mkdir(in+"/open", 0o755))
	must(t, os.WriteFile(in+"/open/good.syscontainer", []byte("[Container]\nImage=q.io/a\n"), 0o644))
	must(t, os.Chmod(in, 0o755))
	must(t, os.Chmod(out, 0o777))
	cmd := generator(t, in+":/proc/1/task/1/nothing:"+in+"/unit-0.syscontainer", out)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		for dir := in; dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode()&0o005 != 0o005 && strings.HasPrefix(dir, os.TempDir()+"/Test") {
				must(t, os.Chmod(dir, 0o755))
			}
		}
		self, err := os.Executable()
		must(t, err)
		data, err := os.ReadFile(self)
		must(t, err)
		must(t, os.WriteFile(filepath.Dir(in)+"/generator", data, 0o755))
		cmd.Path = filepath.Dir(in) + "/generator"
	}
	said, err := cmd.CombinedOutput()
	got := tree(t, out)
	if err == nil || !strings.Contains(string(said), in+"/closed: cannot be read, skipping: permission denied") || !strings.Contains(string(said), "unit-0.syscontainer: cannot be read, skipping: not a directory") {
		t.Errorf("%v %s", err, said)
	}
	if got["unit-0.service"] == "" || got["good.service"] == "" {
		t.Error(got, string(said))
	}
}

// As systemd calls it, with /dev/null for stderr, messages go to the kernel's log: one
// record a write, with a priority and the name that the journal takes for identifier.
func TestKernelLog(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil || os.Getuid() != 0 {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal("needs root and unshare")
		}
		t.Skip("needs root and unshare")
	}
	in, out := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(in+"/a.syscontainer", []byte("[Container]\nImage=nope\nImgae=x\n"), 0o644))
	must(t, os.WriteFile(in+"/long.syscontainer", []byte("[Container]\nImage=q.io/a\nWorkingDir="+strings.Repeat("ä", 2000)+"\n"), 0o644))
	for i := range 20 { // more than the kernel takes of one descriptor
		must(t, os.WriteFile(fmt.Sprintf("%s/many-%d.syscontainer", in, i), []byte("[Container]\nImage=nope\n"), 0o644))
	}
	kmsg := t.TempDir() + "/kmsg"
	must(t, os.WriteFile(kmsg, nil, 0o644))
	cmd := generator(t, in, "-c", `mount --bind "$2" /dev/kmsg && exec "$1" "$3" 2>/dev/null`, "sh", "/proc/self/exe", kmsg, out)
	cmd.Args = append([]string{"unshare", "-m", "sh"}, cmd.Args[1:]...)
	cmd.Args[6] = cmd.Path
	cmd.Path, _ = exec.LookPath("unshare")
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
	if said, err := cmd.CombinedOutput(); len(said) > 0 || cmd.ProcessState.ExitCode() != exitErrors {
		t.Fatalf("%v %s", err, said)
	}
	data, err := os.ReadFile(kmsg)
	must(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, line := range lines {
		priority, rest, _ := strings.Cut(line, ">")
		if (priority != "<3" && priority != "<4") || !strings.HasPrefix(rest, "syscontainer-generator[") || !strings.Contains(rest, "]: ") || len(line) > 976 || strings.ToValidUTF8(line, "") != line {
			t.Errorf("%.200q", line)
		}
	}
	all := string(data)
	for _, want := range []string{"<3>", "a.syscontainer:2: Image=", "<4>", "a.syscontainer:3: unknown key", "a.service will fail at its start", "many-0.syscontainer:2: Image=", "many-19.syscontainer:2: Image="} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody says %q:\n%s", want, all)
		}
	}
}
