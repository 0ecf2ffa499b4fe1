package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--unit=/run/x.service web", ""},
		{"--root /mnt --unit /run/x.service web@1", ""},
		{"--root=/mnt --unit=/x web:a\\x2d_", ""},
		{"--start --runtime=runc --notify web", ""},
		{"--start --runtime=/usr/local/bin/crun-1.2 web", ""},
		{"--start --unit=/x --runtime=runc --notify web", ""},
		{"--start --unit=/x --runtime=runc --wait web", "--wait goes without --unit"},
		{"--clean --runtime=runc web", ""},
		{"--start --runtime=runc --wait --id=my_web.1 web", ""},
		{"--clean --runtime=runc --id=a web", ""},
		{"--reload --unit=/x web", ""},
		{"--unit=/x --fail web", ""},
		{"--unit=/x --caller=/run/syscontainer/+1f --terminal web", ""},
		{"--start --runtime=runc --caller=/run/syscontainer/+1f --attach web", ""},
		{"--root=/mnt --clean --runtime=runc --caller=/mnt/run/syscontainer/+1f --remove web", ""},
		{"--clean --runtime=runc --caller=/run/syscontainer/web web", "--caller=/run/syscontainer/web"},
		{"--clean --runtime=runc --caller=/run/syscontainer/+ web", "--caller="},
		{"--clean --runtime=runc --caller=/run/syscontainer/../+1f web", "--caller="},
		{"--clean --runtime=runc --caller=/etc web", "--caller=/etc"},
		{"--start --runtime=runc --attach web", "go with --caller"},
		{"--clean --runtime=runc --caller=/run/syscontainer/+1f --terminal web", "and a start"},
		{"--unit=/x --remove web", "--remove goes with --clean"},
		{"--reload web", "--unit=FILE is missing"},
		{"--start --runtime=runc --id= web", "--id="},
		{"--start --runtime=runc --id=-x web", "--id=-x"},
		{"--start --runtime=runc --id=a/b web", "--id=a/b"},
		{"--unit=/x --id=a web", "--id=a"},
		{"--clean --runtime=runc --wait web", "--wait go with --start"},
		{"--reload --clean --unit=/x web", "exclude"},
		{"", "one service name expected, 0 given"},
		{"web", "--unit=FILE is missing"},
		{"--unit=/x a b", "2 given"},
		{"--unit=/x ../etc", "no unit name"},
		{"--unit=/x ..", "no unit name"},
		{"--unit=/x a/b", "no unit name"},
		{"--unit", "unknown or incomplete option --unit"},
		{"--start web", "--runtime="},
		{"--start --runtime=a;b web", "--runtime=a;b"},
		{"--start --runtime=a/b web", "--runtime=a/b"},
		{"--start --runtime=-x web", "--runtime=-x"},
		{"--start --clean --runtime=runc web", "exclude"},
		{"--unit=/x --notify web", "go with --start"},
		{"--nope web", "--nope"},
	} {
		_, _, err := parse(strings.Fields(c.args))
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("render %s: %v, want %q", c.args, err, c.err)
		}
	}
	if _, text, err := parse([]string{"--help"}); err != nil || !strings.HasPrefix(text, "usage: render ") {
		t.Errorf("--help: %q, %v", text, err)
	}
	for line := range strings.Lines(usage) {
		if len(line) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

// runc's alphabet, and no two services with one container.
func TestContainerID(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"web", "web@1", "web@", "web:1", `web\x2d1`, `web-1`, "web_1", "web.1", "web@a:b", "web@a-b"} {
		id := containerID(name)
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s are both %s", name, other, id)
		}
		seen[id] = name
		if strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_+-.,") != "" {
			t.Errorf("%s: %s", name, id)
		}
	}
}

func TestProgress(t *testing.T) {
	var told []string
	followProgress(strings.NewReader("- 0 asking\n- 0 asking\n- x y\n0 0 resolving\n10 100 layer 1\n10 100 layer 1\nnonsense\n20 100 layer 1\n"+
		"15 100 layer 1\n-1 5 x\n20 100 un\x1bpacking\n20 100 no end"), func(text string, moved bool) {
		told = append(told, fmt.Sprint(text, " ", moved))
	})
	want := []string{"asking false", "resolving true", "layer 1 true", "layer 1 true", "unpacking true"}
	if !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}

func TestSayings(t *testing.T) {
	for _, c := range []struct{ input, passed, failure string }{
		{"warning of a library\n<4>and another\n", "warning of a library\n<4>and another\n", ""},
		{"a warning\n<3>syscontainer: pull x:1: no route\nhint: plug it in\n\n", "a warning\n", "no route\nhint: plug it in"},
		{"syscontainer: pull x:10: of another", "", "pull x:10: of another"},
	} {
		var passed strings.Builder
		if failure := sayings(&passed, strings.NewReader(c.input), "pull x:1"); failure != c.failure || passed.String() != c.passed {
			t.Errorf("%q: passed %q, failure %q", c.input, passed.String(), failure)
		}
	}
}

func TestSectionValues(t *testing.T) {
	unit := "# x\n[X-Container]\nError=no\n[X-Error]\nError=a.syscontainer:1: x=y\n  Error = b \nOther=1\n[Service]\nError=no\n[X-Error]\nError=c\n"
	if got := sectionValues([]byte(unit), "X-Error", "Error"); !slices.Equal(got, []string{"a.syscontainer:1: x=y", "b", "c"}) {
		t.Errorf("%q", got)
	}
}

func TestLivingContainer(t *testing.T) {
	start, ok := startTime(os.Getpid())
	if !ok {
		t.Fatal("this process has no start time")
	}
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		{"state.json", fmt.Sprintf(`{"init_process_pid":%d,"init_process_start":%d,"cgroup_paths":{"":"/x"}}`, os.Getpid(), start), true},
		{"status", fmt.Sprintf(`{"pid":%d,"process-start-time":%d,"cgroup-path":"/x"}`, os.Getpid(), start), true},
		{"status", fmt.Sprintf(`{"pid":%d}`, os.Getpid()), true},
		{"state.json", fmt.Sprintf(`{"init_process_pid":%d,"init_process_start":%d}`, os.Getpid(), start+1), false},
		{"state.json", `{"init_process_pid":0}`, false},
		{"state.json", `{"init`, false},
		{"other", ``, false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, got := livingContainer(dir); got != c.want {
			t.Errorf("%s %s: %v", c.file, c.text, got)
		}
	}
}

func TestBundle(t *testing.T) {
	b := bundleOf(t.TempDir(), "web")
	for range 2 {
		if err := b.remove(); err != nil {
			t.Fatal("nothing there: ", err)
		}
	}
	if err := b.create(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(string(b)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := b.create(); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second bundle: %v", err)
	}
	want := rootPlan{Lower: []string{"/a", "/b:c"}, Share: true}
	if err := b.write(want, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got, err := b.plan(); err != nil || !slices.Equal(got.Lower, want.Lower) || got.Share != want.Share {
		t.Errorf("%+v, %v", got, err)
	}
	// Something in rootfs is nothing of ours: rather fail than delete it.
	precious := filepath.Join(b.rootfs(), "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.remove(); err == nil {
		t.Error("a filled rootfs was removed")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
