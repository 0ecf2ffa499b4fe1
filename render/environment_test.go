package main

import (
	"strings"
	"testing"

	"syscontainer/units"
)

func TestHostEnvironment(t *testing.T) {
	environ := []string{"A=1", "PATH=/x", "INVOCATION_ID=x", "LISTEN_FDS=1", "LISTENER=1", "http_proxy=p", "NO_PROXY=q", "HOME=/root", "MEMORY_PRESSURE_WATCH=x", "broken"}
	for _, c := range []struct {
		host, proxy bool
		want        string
	}{{false, false, ""}, {true, false, "A=1 LISTENER=1 http_proxy=p NO_PROXY=q"}, {false, true, "http_proxy=p NO_PROXY=q"}, {true, true, "A=1 LISTENER=1 http_proxy=p NO_PROXY=q"}} {
		if got := strings.Join(hostEnvironment(&units.Container{EnvironmentHost: c.host, HTTPProxy: c.proxy}, environ), " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestEnvironmentFile(t *testing.T) {
	environ := []string{"OWN=1", "OWNER=2", "OTHER=3"}
	for _, c := range []struct{ text, want, err string }{
		{"A=1\nB=2", "A=1|B=2", ""},
		{"\ufeff# comment\n\n  A= b # no comment \nB=\"q\" \r\n", `A= b # no comment |B="q" `, ""},
		{"A=a\\\nB=$A\n", `A=a\|B=$A`, ""},
		{"OWN\nMISSING\n", "OWN=1", ""},
		{"OWN*\n", "OWN=1|OWNER=2", ""},
		{"A=\n", "A=", ""},
		{"A=1\nB C=2\n", "", `/x.env:2: variable "B C" contains white space`},
		{"A =1\n", "", `:1: variable "A " contains white space`},
		{"\n=1\n", "", `:2: "=1" names no variable`},
		{"A=\x00", "", ":1: NUL byte"},
	} {
		env, err := environmentFile("/x.env", []byte(c.text), environ)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %q", c.text, err, c.err)
			}
			continue
		}
		if got := strings.Join(env, "|"); err != nil || got != c.want {
			t.Errorf("%q: %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	absent := units.EnvironmentFile{Path: "/render/test/absent"}
	c := base()
	c.EnvironmentFiles = []units.EnvironmentFile{absent}
	if err := lookEnvironmentFiles(c, &host{}); err == nil || !strings.Contains(err.Error(), "EnvironmentFile=/render/test/absent: no such file or directory\nhint: EnvironmentFile=-/render") {
		t.Error(err)
	}
	c.EnvironmentFiles[0].Optional = true
	if err := lookEnvironmentFiles(c, &host{}); err != nil {
		t.Error(err)
	}
	c.EnvironmentFiles[0].Path = "/dev/zero" // would never end
	if err := lookEnvironmentFiles(c, &host{}); err == nil {
		t.Error("a device is accepted")
	}
}

func FuzzEnvironmentFile(f *testing.F) {
	for _, text := range []string{"A=1\n#x\nB", "\xef\xbb\xbfA=\n", "A*", "\r\n=", "A B=1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := environmentFile("x", data, []string{"A=1", "AB=2"})
		if err != nil {
			return
		}
		for _, v := range env {
			if name, _, ok := strings.Cut(v, "="); !ok || name == "" || strings.ContainsAny(v, "\x00\n") || strings.ContainsAny(name, " \t") {
				t.Fatalf("%q of %q", v, data)
			}
		}
	})
}
