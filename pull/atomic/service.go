package atomic

import (
	"maps"
	"slices"
	"strings"

	"syscontainer/units"
)

// ServiceFile is how errors and comments call service.template.
const ServiceFile = "service.template"

// ServiceLine is one line of a unit that a service template becomes.
type ServiceLine struct {
	Section, Key, Value string

	Line    int    // of the template, its first
	Written string // as it stands there, on one line
	Varies  bool   // it has a variable in it
	Why     string // it is not kept, and this is why; "" if it is
	Hint    string // what to write instead of a line that is not kept, for a person
	Ours    bool   // it is not kept because the service of a .syscontainer file does that itself: nothing is lost
}

// Translate turns a service template into lines for a .syscontainer file, in the order of the template. What starts, stops
// and watches the container goes, for the service of such a file does that itself; all else is kept as it is, expanded.
//
// Text is never made a key of [Container] but by these rules: an image gives itself no rights. An error is units.Problems,
// with lines of the template, or one of Template.Expand.
func Translate(template []byte, values map[string]string) ([]ServiceLine, error) {
	t, err := newTranslation(string(template), values)
	if err != nil {
		return nil, err
	}
	lines, _, refused := units.Parse(ServiceFile, t.text)
	if refused != nil {
		refused.Line = t.lineOf(refused.Line)
		return nil, units.Problems{refused}
	}
	t.survey(lines)
	for _, l := range lines {
		t.translate(l)
	}
	if len(t.problems) > 0 {
		return nil, t.problems
	}
	return t.out, nil
}

type translation struct {
	template []string // its lines
	text     string   // expanded
	origin   []int    // line of the template that each line of text comes from; a value may bring several
	destdir  string

	detached bool // $EXEC_START was to return at once, and $PIDFILE to name the payload
	oneshot  bool
	lastType int // line of the Type= that counts
	started  int // line of ExecStart=$EXEC_START, 0: there is none
	problems units.Problems
	out      []ServiceLine
}

// mark stands for a variable that names a command of the runtime. Nothing that is kept has a control character in it.
func mark(name string) string { return "\x1a" + name + "\x1a" }

var commands = [...]string{"EXEC_START", "EXEC_STOP", "EXEC_STARTPRE", "EXEC_STOPPOST"}

func newTranslation(template string, values map[string]string) (*translation, error) {
	if _, err := (Template{File: ServiceFile, Text: template}).Expand(values); err != nil {
		return nil, err // with all that is missing
	}
	values = maps.Clone(values)
	for _, name := range commands {
		values[name] = mark(name)
	}
	ends := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\n") // for systemd each of them ends a line
	t := &translation{template: strings.Split(ends.Replace(template), "\n"), destdir: values["DESTDIR"]}
	used := Variables(template)
	t.detached = slices.Contains(used, "EXEC_STOPPOST") && slices.Contains(used, "PIDFILE")
	var text strings.Builder
	for i, line := range t.template {
		expanded, err := Template{File: ServiceFile, Text: line}.Expand(values)
		if err != nil {
			return nil, err
		}
		expanded = ends.Replace(expanded)
		for range strings.Count(expanded, "\n") + 1 {
			t.origin = append(t.origin, i+1)
		}
		text.WriteString(expanded + "\n")
	}
	t.text = text.String()
	return t, nil
}

func (t *translation) lineOf(line int) int {
	if line < 1 || line > len(t.origin) {
		return 0
	}
	return t.origin[line-1]
}

// survey finds what the meaning of other lines depends on.
func (t *translation) survey(lines []units.Line) {
	for _, l := range lines {
		if l.Section != "Service" {
			continue
		}
		switch l.Key {
		case "Type":
			t.lastType, t.oneshot = l.Line, l.Value == "oneshot"
		case "ExecStart":
			if bare(l.Value) == mark("EXEC_START") {
				t.started = l.Line
			}
		}
	}
}

// bare is a command without the prefixes of systemd.service(5).
func bare(command string) string { return strings.TrimLeft(command, "-@:+!|") }

func (t *translation) translate(l units.Line) {
	line := ServiceLine{Section: l.Section, Key: l.Key, Value: l.Value, Line: t.lineOf(l.Line)}
	line.Written = t.written(line.Line)
	line.Varies = len(Variables(line.Written)) > 0
	switch l.Section {
	case "Service":
		t.service(&line, l.Line)
	case "Unit":
		if (strings.HasPrefix(l.Key, "Condition") || strings.HasPrefix(l.Key, "Assert")) && t.inImage(strings.TrimLeft(l.Value, "|!")) {
			line.Why, line.Hint = "it is asked before the image is in its place", "the start itself finds out"
		}
	case "Install":
	default:
		line.Why = "systemd ignores the section [" + l.Section + "]"
	}
	switch {
	case line.Why != "":
	case !plainKey(line.Key):
		line.Why = "systemd knows no such key"
	case strings.ContainsFunc(line.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		line.Why, line.Hint = "there is a control character in it", "write the line anew"
		if strings.Contains(line.Value, "\x1a") {
			line.Why, line.Hint = "the runtime is not started by a command of the unit", "what stands around $EXEC_… may be an ExecStartPre= or ExecStopPost= of its own"
		}
	}
	t.out = append(t.out, line)
}

// written is a line of the template, with those that a backslash joins to it.
func (t *translation) written(line int) string {
	if line == 0 {
		return ""
	}
	var b strings.Builder
	for _, s := range t.template[line-1:] {
		s = strings.TrimRight(s, " \t")
		joined := strings.HasSuffix(s, `\`)
		if b.Len() > 0 {
			s = " " + strings.TrimLeft(s, " \t")
		}
		b.WriteString(strings.TrimRight(strings.TrimSuffix(s, `\`), " \t"))
		if !joined {
			break
		}
	}
	return strings.TrimLeft(b.String(), " \t")
}

// inImage tells whether a path leads through DESTDIR, which is there from our own first ExecStartPre= on.
func (t *translation) inImage(path string) bool {
	return t.destdir != "" && (path == t.destdir || strings.HasPrefix(path, t.destdir+"/"))
}

// service decides about a line of [Service]. at is its line in the expanded text.
func (t *translation) service(l *ServiceLine, at int) {
	switch l.Key {
	case "ExecStart":
		t.execStart(l, at)
	case "ExecStop", "ExecStartPre", "ExecStopPost":
		for _, name := range commands {
			if bare(l.Value) == mark(name) {
				l.Why, l.Ours = "the service sees to it", true
			}
		}
	case "Type":
		switch {
		case at != t.lastType:
			l.Why = "a later line counts"
		case l.Value == "oneshot" && t.detached: // a start that waits for the payload's end would wait for ever
			l.Why, l.Ours = "the service watches the container", true
		case l.Value == "oneshot":
		case l.Value == "notify" || l.Value == "notify-reload":
			if l.Value == "notify-reload" {
				t.out = append(t.out, ServiceLine{Section: "Container", Key: "ReloadSignal", Value: "SIGHUP", Line: l.Line, Written: l.Written})
			}
			l.Section, l.Key, l.Value = "Container", "Notify", "yes"
		default:
			l.Why, l.Ours = "the service tells systemd when the container runs", true
		}
	case "RemainAfterExit":
		if t.oneshot && t.detached {
			l.Why, l.Ours = "the service watches the container", true
		}
	case "PIDFile", "NotifyAccess", "GuessMainPID":
		l.Why, l.Ours = "systemd is told the main process", true
	case "KillMode":
		if l.Value != "mixed" {
			l.Why, l.Ours = "the service has its own", true
		}
	case "WorkingDirectory":
		switch path := strings.TrimPrefix(l.Value, "-"); {
		case strings.TrimRight(path, "/") == t.destdir:
			l.Why, l.Ours = "the runtime knows its bundle", true
		case t.inImage(path):
			l.Value = "-" + path
		}
	case "EnvironmentFile":
		if t.inImage(l.Value) {
			l.Value = "-" + l.Value // before the first ExecStartPre= it is not there
		}
	}
}

// execStart: a oneshot service may have more commands, which run one after the other.
func (t *translation) execStart(l *ServiceLine, at int) {
	switch {
	case l.Value == "" || bare(l.Value) == mark("EXEC_START"):
		l.Why, l.Ours = "the service starts the container", true
	case strings.Contains(l.Value, mark("EXEC_START")): // translate says why not
	case t.oneshot && t.started > at:
		l.Key = "ExecStartPre"
	case t.oneshot && t.started > 0:
		l.Key = "ExecStartPost"
	default:
		t.problems = append(t.problems, &units.Problem{File: ServiceFile, Line: l.Line,
			Msg:  "ExecStart= starts a program of the host, and no container",
			Hint: "such a program needs a service of systemd's own; what it starts can be had with syscontainer pull"})
	}
}

// plainKey accepts what keys of systemd are made of.
func plainKey(key string) bool {
	for _, b := range []byte(key) {
		if !(b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '-' || b == '_') {
			return false
		}
	}
	return key != ""
}
