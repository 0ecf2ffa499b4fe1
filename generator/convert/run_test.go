package convert

import (
	"strings"
	"testing"

	"syscontainer/units"
)

// The service of a unit without a file has its own text to read and a caller to tell; the others of the set do not.
func TestRun(t *testing.T) {
	root := t.TempDir()
	set := func() *units.Set {
		return units.Load(root, nil,
			units.Extra{Path: "/run/syscontainer/+1/job.syscontainer", Given: true, Text: "[Container]\nImage=q.io/web:1\nReloadSignal=SIGHUP\n"},
			units.Extra{Path: "/etc/web.syscontainer", Given: true, Text: "[Container]\nImage=q.io/web:1\n"})
	}
	commands := func(p *Plan, name string) (lines []string) {
		for _, s := range p.Services {
			if s.Name != name {
				continue
			}
			for line := range strings.Lines(s.Text) {
				if strings.HasPrefix(line, "Exec") || strings.HasPrefix(line, "SourcePath") {
					lines = append(lines, strings.TrimSpace(strings.ReplaceAll(line, "/r/render ", "")))
				}
			}
		}
		return lines
	}
	run := Run{Path: "/run/syscontainer/+1/job.syscontainer", File: "/f", Caller: "/c"}
	attached, terminal, removed := run, run, run
	attached.Attach, terminal.Terminal, removed.Remove = true, true, true
	for _, c := range []struct {
		run         Run
		start, stop string
	}{
		{run, "", ""},
		{attached, " --attach", ""},
		{terminal, " --terminal", ""},
		{removed, "", " --remove"},
	} {
		p := Convert(set(), Options{Root: root, Render: "/r/render", Run: &c.run})
		want := []string{
			"ExecStart=--start --unit=/f --runtime=runc --caller=/c" + c.start + " %N",
			"ExecReload=--reload --unit=/f %N",
			"ExecStop=-/r/render --stop %N",
			"ExecStopPost=-/r/render --clean --runtime=runc --caller=/c" + c.stop + " %N",
		}
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "/r/render ", "")
		}
		if got := commands(p, "job.service"); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%+v\ngot  %q\nwant %q", c.run, got, want)
		}
		other := strings.Join(commands(p, "web.service"), "\n")
		if !strings.Contains(other, "--unit=%y") || strings.Contains(other, "/c") || !strings.Contains(other, "SourcePath=/etc/web.syscontainer") {
			t.Errorf("the other service: %s", other)
		}
	}
}
