package units

import (
	"bytes"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
)

func TestTmpfiles(t *testing.T) {
	for name, want := range map[string]string{
		"web":        `f /etc/web/%m%% - - - - /web /srv/%m`,
		`web@a\x25b`: `f /etc/web@a\\x25b/%m%% - - - - /a%%b /srv/%m`,
		`web@a\x20b`: `f /etc/web@a\\x20b/%m%% - - - - /a\x20b /srv/%m`,
		"web@":       `f %E/%N/%m%% - - - - %f /srv/%m`,
	} {
		c, errs, _ := read(t, name, "Tmpfiles=f %E/%N/%m%% - - - - %f /srv/%m")
		if len(errs) > 0 || c.Tmpfiles[0] != want {
			t.Errorf("%s: %q %v, want %q", name, c.Tmpfiles, errs, want)
		}
	}
	for name, text := range map[string]string{"web": "d /%Z", "web@": "d /%Z", `web@a\x0ab`: "d /%I", `web@\xff`: "d /%I", "a": "d /a 17777", "b": "d /a 8", "c": "d /a ~"} {
		if c, errs, _ := read(t, name, "Tmpfiles="+text); len(errs) != 1 {
			t.Error(name, c.Tmpfiles, errs)
		}
	}
	for _, line := range []string{"f /a 0644 - - - it's \\q", "d\t/a", `d "/a b" - - - 10d`, "f /a", "d /a ~7777", "d /a :0755"} {
		if c, errs, _ := read(t, "web", "Tmpfiles="+line); len(errs) > 0 || c.Tmpfiles[0] != line {
			t.Error(c.Tmpfiles, errs)
		}
	}
	for line, want := range map[string]string{"d /a//b/": "/a/b", `d "/a b/c" 0755`: "/a b/c", `d /a\ b`: "/a b", `d /a" "b`: "/a b", `d /%i`: "/%i"} {
		if got := TmpfilesPath(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// systemd-tmpfiles is the judge: what an instance is called stays in its field,
// whatever quotes stand around the specifier.
func TestTmpfilesFieldsStayWhole(t *testing.T) {
	program, err := osexec.LookPath("systemd-tmpfiles")
	if err != nil {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, instance := range []string{"plain", "a b", "  a  ", `a"b`, "a'b", `a\b`, `\`, `"`, `\x20`, "a%b%%c", "%H", `'"\ %`, "é", "-", "#;"} {
		var escaped strings.Builder
		for _, b := range []byte(instance) {
			escaped.WriteString(`\x` + string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]))
		}
		name := "web@" + escaped.String()
		root := t.TempDir()
		c, errs, _ := read(t, name, strings.Join([]string{
			"Tmpfiles=d /bare-%I-x 0700", `Tmpfiles=d "/double-%I-x" 0700`, `Tmpfiles=d '/single-%I-x' 0700`, `Tmpfiles=d /mid" "%I"-x" 0700`,
			`Tmpfiles=d /escaped\"-%I 0700`, "Tmpfiles=f /file 0600 - - - has %I and %%", "Tmpfiles=L /link - - - - /to/%I"}, "\n"))
		if len(errs) > 0 {
			t.Errorf("%q: %v", instance, errs)
			continue
		}
		cmd := osexec.Command(program, "--root="+root, "--create", "-")
		cmd.Stdin = strings.NewReader(strings.Join(c.Tmpfiles, "\n") + "\n")
		if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%q: %v %s", instance, err, out)
		}
		for _, dir := range []string{"bare-" + instance + "-x", "double-" + instance + "-x", "single-" + instance + "-x", "mid " + instance + "-x", `escaped"-` + instance} {
			if info, err := os.Stat(root + "/" + dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%q: %v", instance, err)
			}
		}
		if data, err := os.ReadFile(root + "/file"); err != nil || string(data) != "has "+instance+" and %" {
			t.Errorf("%q: file has %q, %v", instance, data, err)
		}
		if to, err := os.Readlink(root + "/link"); err != nil || to != "/to/"+instance {
			t.Errorf("%q: link to %q, %v", instance, to, err)
		}
	}
}
