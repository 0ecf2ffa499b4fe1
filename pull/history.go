package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

const historyHelp = `Usage: syscontainer history [--json] NAME…

Shows the generations of containers, the oldest first: which image each had,
who made it, and what became of it.

      --json              print an array of objects
  -h, --help              print this text
`

// history is a container's, as history --json prints it, see syscontainer(1).
type history struct {
	Name        string `json:"name"`
	Current     int    `json:"current"`
	Previous    int    `json:"previous"`
	Held        bool   `json:"held"`
	Generations []past `json:"generations"`
}

type past struct {
	generation.Record
	Kept bool `json:"kept"`
}

func runHistory(_ context.Context, root string, args []string) error {
	flags := newFlags("syscontainer history", func(w io.Writer) { io.WriteString(w, historyHelp) })
	asJSON := flags.Bool("json", false, "")
	names, err := namesFrom(root, "history", flags.Args, func() error { return parse(flags, args) })
	if err != nil {
		return err
	}
	all := []*history{}
	for _, name := range names {
		c, err := generation.Read(root, name)
		if err != nil {
			return err
		}
		for _, p := range c.Problems {
			fmt.Fprintf(os.Stderr, "%ssyscontainer: %s\n", priority("4"), units.Printable(p.Error()))
		}
		all = append(all, historyFrom(c))
	}
	if *asJSON {
		return printJSON(all)
	}
	for i, h := range all {
		if len(all) > 1 {
			fmt.Printf("%s%s:\n", map[bool]string{true: "\n"}[i > 0], h.Name)
		}
		if err := h.print(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

// namesFrom are the services that a command line means, each with records or a unit. Of a container whose unit is gone
// the name of its service counts.
func namesFrom(root, verb string, words func() []string, parse func() error) (names []string, err error) {
	if err := parse(); err != nil {
		return nil, err
	}
	if len(words()) == 0 {
		return nil, usagef("%s: the name of a container is missing, see syscontainer %s --help", verb, verb)
	}
	for _, word := range words() {
		name, err := serviceOf(root, word)
		if err == nil && strings.HasSuffix(name, "@") {
			err = fmt.Errorf("%s is a template, of which only instances run\nhint: name one, as %s1", name, name)
		}
		if err != nil {
			name = strings.TrimSuffix(strings.TrimSuffix(path.Base(word), ".service"), ".syscontainer")
			if c, readErr := generation.Read(root, name); readErr != nil || c.Current == 0 && len(c.Generations) == 0 {
				return nil, fmt.Errorf("%s: %w", verb, err)
			}
		}
		names = append(names, name)
	}
	return names, nil
}

func historyFrom(c *generation.Container) *history {
	h := &history{Name: c.Name, Current: c.Current, Previous: c.Previous, Held: c.Held, Generations: []past{}}
	for _, r := range c.Generations {
		h.Generations = append(h.Generations, past{r, r.Kept})
	}
	return h
}

func (h *history) print(w io.Writer) error {
	if len(h.Generations) == 0 {
		_, err := fmt.Fprintf(os.Stderr, "%ssyscontainer: %s was never updated\n", priority("6"), h.Name)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GEN\t \tTIME\tBY\tDIGEST\tOUTCOME\tREASON")
	for _, r := range h.Generations {
		mark, digest, reason := " ", r.Digest[:12], strings.ReplaceAll(r.Reason, "\n", "; ")
		switch r.Number {
		case h.Current:
			mark = ">"
		case h.Previous:
			mark = "<"
		}
		if !r.Kept {
			digest = "(" + digest + ")"
		}
		if reason == "" {
			reason = "-"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Number, mark, localTime(r.Time), units.Printable(string(r.By)), digest, units.Printable(string(r.Outcome)), units.Printable(reason))
	}
	return t.Flush()
}

// localTime is a time for people.
func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// lastUpdate is the latest update that a container took part in, nil if none is remembered.
func lastUpdate(root, name string) (*generation.Update, error) {
	all, err := generation.Updates(root)
	var last *generation.Update
	for _, u := range all {
		for _, member := range u.Names() {
			if member == name {
				last = u
			}
		}
	}
	if last != nil {
		err = nil // told by the machine's state
	}
	return last, errors.Join(err)
}
