package units

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Update is what a section [Update] says: how the container gets newer images. Nothing of
// it matters for a start.
type Update struct {
	Auto           string // "no" (default), "registry" or "local"
	Windows        []Window
	Hold           bool
	Group          string // "": none
	Keep           int    // generations, at least 1; default 2
	KeepDays       int    // 0: not set
	HealthySec     time.Duration
	HealthExec     []string // run in the container; nil: not set
	HealthExecHost []string // run on the machine, an absolute path first; nil: not set
	RateLimit      int64    // bytes per second; 0: no limit, NoRate: that of syscontainer.conf(5)
	RemoveFirst    bool     // never with more than Keep=1

	// Errors of the section let no service fail, for the container runs without it. But
	// nothing may be updated by rules that are not understood.
	Errors Problems
}

// NoRate is the RateLimit of a unit that sets none.
const NoRate int64 = -1

// updateSection is where its lines stand.
const updateSection = "Update"

// updateKeys are all keys of [Update].
var updateKeys = [...]key{
	one("Auto", autoForm, func(d *draft) *string { return &d.Update.Auto }),
	many("Window", windowForm, func(d *draft) *[]Window { return &d.Update.Windows }),
	one("Hold", boolForm, func(d *draft) *bool { return &d.Update.Hold }),
	one("Group", updateGroupForm, func(d *draft) *string { return &d.Update.Group }),
	one("Keep", countForm, func(d *draft) *int { return &d.Update.Keep }),
	one("KeepDays", countForm, func(d *draft) *int { return &d.Update.KeepDays }),
	one("HealthySec", healthTimeForm, func(d *draft) *time.Duration { return &d.Update.HealthySec }),
	one("HealthExec", commandForm, func(d *draft) *[]string { return &d.Update.HealthExec }),
	one("HealthExecHost", hostCommandForm, func(d *draft) *[]string { return &d.Update.HealthExecHost }),
	one("RateLimit", sizeForm, func(d *draft) *int64 { return &d.Update.RateLimit }),
	one("RemoveFirst", boolForm, func(d *draft) *bool { return &d.Update.RemoveFirst }),
}

// noUpdate is what holds where nothing is said.
var noUpdate = Update{Auto: "no", Keep: 2, HealthySec: 10 * time.Second, RateLimit: NoRate}

// decodeUpdate reads [Update], after [Container].
func (d *draft) decodeUpdate(lines []Line, n scope) (warnings Problems) {
	var last [len(updateKeys)]*Line
	u := &d.Update
	for i := range lines {
		line := &lines[i]
		if line.Section != updateSection {
			continue
		}
		k := slices.IndexFunc(updateKeys[:], func(k key) bool { return k.name == line.Key })
		if k < 0 {
			if !strings.HasPrefix(line.Key, "X-") {
				warnings = append(warnings, unknownUpdateKey(line))
			}
			continue
		}
		if before := last[k]; updateKeys[k].once && before != nil && before.File == line.File && before.Value != "" && line.Value != "" {
			warnings = append(warnings, &Problem{File: line.File, Line: line.Line, Column: line.Column, Msg: line.Key + "= is set again, the line before is ignored"})
		}
		last[k] = line
		said, err := updateKeys[k].set(d, &n, line.Value)
		for _, w := range said {
			warnings = append(warnings, at(line, w))
		}
		if err != nil {
			u.Errors = append(u.Errors, at(line, err))
		}
	}
	value := func(name string) (*Line, bool) {
		line := last[slices.IndexFunc(updateKeys[:], func(k key) bool { return k.name == name })]
		return line, line != nil && line.Value != ""
	}
	auto, said := value("Auto")
	if !said && d.autoUpdate != "" {
		u.Auto = d.autoUpdate
	}
	if line, _ := value("RemoveFirst"); u.RemoveFirst && u.Keep != 1 && line != nil {
		u.Errors = append(u.Errors, &Problem{File: line.File, Line: line.Line, Column: line.Column,
			Msg: "RemoveFirst=yes removes the old image, and Keep= keeps it", Hint: "write Keep=1 too, if no way back is needed"})
	}
	if said && u.Auto != "no" {
		why := ""
		switch {
		case d.Rootfs != "":
			why = "with Rootfs= there is no image to update"
		case ImageDigest(d.Image) != "":
			why = "Image= names a digest, and stays that image"
		}
		if why != "" {
			warnings = append(warnings, &Problem{File: auto.File, Line: auto.Line, Column: auto.Column, Msg: "Auto=" + u.Auto + " does nothing: " + why})
		}
	}
	return warnings
}

func unknownUpdateKey(line *Line) *Problem {
	p := &Problem{File: line.File, Line: line.Line, Column: line.Column, Msg: "unknown key " + quote(line.Key+"=") + " in [Update], ignoring"}
	names := func(yield func(string) bool) {
		for i := range updateKeys {
			if !yield(updateKeys[i].name) {
				return
			}
		}
	}
	if near := nearest(line.Key, names); near != "" {
		p.Hint = `did you mean "` + near + `="?`
	} else if keyIndex(line.Key) >= 0 {
		p.Hint = "does it belong into [Container]?"
	}
	return p
}

func isUpdateKey(name string) bool {
	return slices.ContainsFunc(updateKeys[:], func(k key) bool { return k.name == name })
}

func autoForm(_ *scope, s string) (string, []error, error) {
	switch s = unquote(s); s {
	case "registry", "local", "no":
		return s, nil, nil
	}
	return "", nil, wrong("write registry, local or no", quote(s), " is not possible")
}

// autoUpdateForm reads what podman-auto-update(1) knows.
func autoUpdateForm(_ *scope, s string) (string, []error, error) {
	switch s = unquote(s); s {
	case "registry", "local":
		return s, nil, nil
	case "image":
		return "registry", nil, nil
	case "disabled":
		return "", nil, nil
	}
	return "", nil, wrong("write registry or local", quote(s), " is not possible")
}

// updateGroupForm is strict: the name is shown, compared and perhaps a file's one day.
func updateGroupForm(n *scope, s string) (string, []error, error) {
	s, err := text(n, s)
	if err == nil && (s == "" || len(s) > 64 || !onlyBytes(s, "-_.") || strings.IndexByte("-.", s[0]) >= 0) {
		err = wrong("letters, digits and -_. may stand in it, 64 at most", quote(s), " is no name of a group")
	}
	return s, nil, err
}

func countForm(_ *scope, s string) (int, []error, error) {
	n, err := strconv.Atoi(s)
	if err != nil || s[0] == '+' || n < 1 || n > 10000 {
		return 0, nil, wrong("write a number from 1 to 10000", quote(s), " is not possible")
	}
	return n, nil, nil
}

func healthTimeForm(n *scope, s string) (time.Duration, []error, error) {
	d, warnings, err := timeForm(n, s)
	if err == nil && d > 24*time.Hour {
		err = wrong("write at most 24h", quote(s), ": an update would never end")
	}
	return d, warnings, err
}

// hostCommandForm wants a path: what $PATH is differs between who updates by hand and the
// service that does.
func hostCommandForm(n *scope, s string) ([]string, []error, error) {
	words, warnings, err := commandForm(n, s)
	if err == nil && (len(words) == 0 || !strings.HasPrefix(words[0], "/")) {
		err = wrong("for example /usr/bin/curl -fsS http://127.0.0.1:8080/", quote(s), " does not begin with an absolute path")
	}
	return words, warnings, err
}
