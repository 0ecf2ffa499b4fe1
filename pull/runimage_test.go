package main

import (
	"os"
	"strings"
	"testing"

	"syscontainer/units"
)

// What an image says of itself counts to the letter, and what its templates lack is told before anything starts.
func TestRunLooksAtTheImage(t *testing.T) {
	root := t.TempDir()
	templates := t.TempDir()
	plant(t, templates, map[string]string{
		"exports/config.json.template": `{"root": {"path": "rootfs", "readonly": false}, "process": {"args": ["$A", "$B", "$NAME"], "cwd": "/"}}`,
		"exports/tmpfiles.template":    "d /run/$C\n",
		"exports/service.template":     "[Service]\nExecStart=$EXEC_START\nMemoryMax=$NOT_FOR_RUN\n",
	})
	const once = `{"config":{"Labels":{"atomic.run":"once"}}}`
	for _, c := range []struct {
		name, config string
		set          []string
		template     bool
		once         bool
		err          string
	}{
		{"all", once, []string{"A=1", "B=2", "C=3"}, true, true, ""},
		{"service", `{"config":{}}`, []string{"A=1", "B=2", "C=3"}, true, false, ""},
		{"value", `{"config":{"Labels":{"atomic.run":"Once"}}}`, []string{"A=1", "B=2", "C=3"}, true, false, ""},
		{"key", `{"config":{"Labels":{"Atomic.Run":"once"}}}`, []string{"A=1", "B=2", "C=3"}, true, false, ""},
		{"ordinary", once, nil, false, true, ""},
		{"missing", once, []string{"B=2"}, true, false, "run q.io/missing:1: The template file 'config.json.template' still contains an unreplaced value for: ''A''\n" +
			"The template file 'tmpfiles.template' still contains an unreplaced value for: ''C''\nhint: --set A=… --set C=…"},
	} {
		reference := "q.io/" + c.name + ":1"
		plantImage(t, root, reference, templates, c.config)
		o := &runOptions{name: "job", image: reference}
		runsOnce, err := o.lookAtImage(root, &units.Container{Image: reference, Set: c.set, Template: c.template})
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) || runsOnce != c.once {
			t.Errorf("%s: once %v, error %v, want %v, %q", c.name, runsOnce, err, c.once, c.err)
		}
	}
	o := new(runOptions)
	if once, err := o.lookAtImage(root, &units.Container{Image: "q.io/not-there:1"}); once || err != nil {
		t.Errorf("of an image that is not there: %v, %v", once, err)
	}
}

// A label that is not the one, letter for letter, is none: the image is installed.
func TestInstallOnceToTheLetter(t *testing.T) {
	root := t.TempDir()
	for name, config := range map[string]string{
		"value": `{"config":{"Labels":{"atomic.run":"ONCE"}}}`,
		"key":   `{"config":{"Labels":{"ATOMIC.RUN":"once"}}}`,
	} {
		plantImage(t, root, "q.io/"+name+":1", t.TempDir(), config)
		if _, stderr, status := command(t, "--root", root, "install", "--name", name, "q.io/"+name+":1"); status != 0 {
			t.Errorf("%s: status %d, %s", name, status, stderr)
		}
		loads(t, root, name)
	}
}

func TestRunOfUnits(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{"tool.syscontainer": good, "many@.syscontainer": good,
		"set.syscontainer": "[Container]\nImage=q.io/set:1\nSet=\"A=it's 100%%\"\n", "root.syscontainer": "[Container]\nRootfs=/srv/r\n"})
	t.Setenv("SYSCONTAINER_UNIT_DIRS", dir)
	for word, want := range map[string]string{
		"tool": "tool", "tool.service": "tool", "tool.syscontainer": "tool", "many@1": "many@1",
		"other": "", "q.io/tool": "", "./tool": "", "tool:1": "", "oci:tool": "", "../tool": "", "": "",
	} {
		if got := unitNamed("/", word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct{ args, err string }{
		{"run --rm tool true", "--rm is not possible"},
		{"run --name x tool true", "--name x is not possible"},
		{"run -v /a:/b tool true", "-v /a:/b is not possible"},
		{"run --set A=B tool", "--set A=B is not possible"},
		{"run tool true", "tool does not run\nhint: systemctl start tool; or, in a container of its own without the unit's other settings: syscontainer run q.io/good:1 true\n"},
		{"run set $x a", "hint: systemctl start set; or, in a container of its own without the unit's other settings: syscontainer run --set 'A=it'\\''s 100%' q.io/set:1 '$x' a\n"},
		{"run many@7 true", "many@7 does not run\nhint: systemctl start many@7; or, "},
		{"run root true", "root does not run\nhint: systemctl start root\n"},
		{"run -t tool true", "-t needs a terminal"},
		{"run -t -d tool true", "exclude"},
		{"run other", "other"},
	} {
		_, stderr, status := command(t, strings.Fields(c.args)...)
		if status != exitNoPayload || !strings.Contains(stderr, c.err) {
			t.Errorf("%s: status %d, %q, want %q", c.args, status, stderr, c.err)
		}
	}
	if _, err := os.Stat("/run/syscontainer/tool"); err == nil {
		t.Error("a bundle was made")
	}
}
