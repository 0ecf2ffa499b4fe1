package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// Scripts that images of Project Atomic put on the host run "$ATOMIC run $NAME COMMAND…": what they name is a container,
// which runs, or is to be started. A unit of the name is what is meant, then; an image has a registry before its name.

// unitNamed is what the first word names if that is a unit, "" otherwise.
func unitNamed(root, word string) string {
	if strings.ContainsAny(word, "/:") {
		return ""
	}
	service, err := serviceOf(root, word)
	if err != nil {
		return ""
	}
	return service
}

// checkForUnit refuses what a container has from its unit.
func (o *runOptions) checkForUnit() error {
	option := ""
	switch {
	case o.name != "":
		option = "--name " + o.name
	case o.remove:
		option = "--rm"
	case len(o.lines) > 0:
		option = shortened(o.lines[0].origin)
	default:
		return nil
	}
	return usagef("run: %s is the name of a unit, which says what it runs: %s is not possible\nhint: an image has a registry before its name; for a command in the container there is syscontainer exec", o.unit, option)
}

// runUnit replaces this program by systemctl, or by the runtime with a command in the container. It has a terminal if the
// caller has one.
func (o *runOptions) runUnit(root string) error {
	if o.tty && !onTerminal() {
		return errors.New("run: -t needs a terminal, and standard input is none\nhint: leave out -t")
	}
	if len(o.command) == 0 {
		program, err := findProgram("systemctl")
		if err != nil {
			return err
		}
		return fmt.Errorf("execute %s: %w", program, unix.Exec(program, []string{program, "start", o.unit + ".service"}, os.Environ()))
	}
	e := execOptions{tty: o.tty || !o.detach && onTerminal(), detach: o.detach, args: o.command, term: os.Getenv("TERM")}
	if err := e.check(); err != nil {
		return err
	}
	err := e.in(root, o.unit)
	if stopped := notRunning(""); errors.As(err, &stopped) {
		if beside := o.beside(root); beside != "" {
			return fmt.Errorf("%w; or, in a container of its own without the unit's other settings: %s", err, beside)
		}
	}
	return err
}

// beside is what runs the command without the unit's container; "" if the unit has no image. Project Atomic's command ran it
// in the container's configuration, under its name: so would two use the same data, names and ports at the same time.
func (o *runOptions) beside(root string) string {
	u, err := findUnit(root, units.Load(root, units.SearchPath()), o.unit)
	if err != nil {
		return ""
	}
	c, problems, _ := u.Container()
	if len(problems) > 0 || c == nil || c.Image == "" {
		return ""
	}
	words := []string{"syscontainer", "run"}
	for _, s := range c.Set {
		words = append(words, "--set", s)
	}
	words = append(append(words, c.Image), o.command...)
	for i, word := range words {
		words[i] = shellWord(word)
	}
	return units.Printable(strings.Join(words, " "))
}

// shellWord is a word as a shell reads it.
func shellWord(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/.:=@%+,_-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
