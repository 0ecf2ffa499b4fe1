package main

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"

	"syscontainer/generator/convert"
	"syscontainer/units"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said runs f and returns what it wrote to stderr.
func said(t testing.TB, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	real := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = real }()
	done := make(chan string)
	go func() {
		var b bytes.Buffer
		b.ReadFrom(r)
		done <- b.String()
	}()
	f()
	w.Close()
	return <-done
}

// Secrets in a file that only root may read stay so.
func TestPrivateFilesStayPrivate(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := root + "/etc/containers/systemd/"
	must(t, os.MkdirAll(d+"a.syscontainer.d", 0o755))
	for _, name := range []string{"a", "b", "c"} {
		must(t, os.WriteFile(d+name+".syscontainer", []byte("[Container]\nImage=q.io/a\n"), 0o644))
	}
	must(t, os.WriteFile(d+"a.syscontainer.d/secret.conf", []byte("[Container]\nEnvironment=PASSWORD=x\n"), 0o600))
	must(t, os.Chmod(d+"b.syscontainer", 0o640))
	said(t, func() {
		log := openLog(true)
		write(convert.Convert(units.Load(root, units.Directories()), convert.Options{Root: root, Render: renderPath}), dir, log)
	})
	for name, want := range map[string]fs.FileMode{"a": 0o600, "b": 0o600, "c": 0o644} {
		info, err := os.Stat(dir + "/" + name + ".service")
		if must(t, err); info.Mode() != want {
			t.Error(name, info.Mode())
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args          []string
		dirs          int
		text, problem bool
	}{
		{[]string{"a"}, 1, false, false}, {[]string{"a", "b", "c"}, 3, false, false}, {[]string{"--dry-run"}, 0, false, false},
		{nil, 0, false, true}, {[]string{"a", "b"}, 2, false, true}, {[]string{"-x"}, 0, false, true}, {[]string{"-h"}, 0, true, false},
		{[]string{"--version"}, 0, true, false}, {[]string{"--root=/r", "a"}, 1, false, false},
	} {
		o, text, problem := parse(c.args)
		if (text != "") != c.text || (problem != "") != c.problem || !c.text && !c.problem && len(o.dirs) != c.dirs {
			t.Error(c.args, o, text, problem)
		}
	}
	for line := range strings.Lines(usage) {
		if len(line) > 81 {
			t.Error("longer than 80: ", line)
		}
	}
	t.Setenv("SYSTEMD_IN_INITRD", "1")
	if code := run([]string{"/nowhere"}); code != 0 {
		t.Error(code)
	}
}

// An output directory that cannot be written loses nothing but is told.
func TestUnwritable(t *testing.T) {
	var failed bool
	stderr := said(t, func() {
		log := openLog(true)
		p := &convert.Plan{Services: []convert.Service{{Name: "a.service", Text: "x"}}, Links: []convert.Link{{Name: "b.wants/a.service", Target: "../a.service"}}}
		write(p, "/nowhere/at/all", log)
		failed = log.failed
	})
	if !failed || !strings.Contains(stderr, "/nowhere/at/all: cannot be written: no such file or directory") {
		t.Error(stderr)
	}
}

// What is wrong in [Update] is told as an error, and the service is made all the same.
func TestUpdateErrorsAreTold(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	d := root + "/etc/containers/systemd/"
	must(t, os.MkdirAll(d, 0o755))
	must(t, os.WriteFile(d+"web.syscontainer", []byte("[Container]\nImage=q.io/a\n[Update]\nHold=perhaps\n"), 0o644))
	var failed bool
	stderr := said(t, func() {
		log := openLog(true)
		plan := convert.Convert(units.Load(root, units.Directories()), convert.Options{Root: root, Render: renderPath})
		log.plan(plan)
		write(plan, dir, log)
		failed = log.failed
	})
	const want = "syscontainer-generator: /etc/containers/systemd/web.syscontainer:4: Hold=: \"perhaps\" is no boolean\n" +
		"syscontainer-generator: hint: write yes or no\n" +
		"syscontainer-generator: /etc/containers/systemd/web.syscontainer: web.service is not updated until that is mended\n"
	if !failed || stderr != want {
		t.Error(failed, stderr)
	}
	if service, err := os.ReadFile(dir + "/web.service"); err != nil || !strings.Contains(string(service), " --start ") {
		t.Errorf("%v\n%s", err, service)
	}
}
