package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/pull/generation"
	"syscontainer/units"
)

const statusHelp = `Usage: syscontainer status [--json] NAME…

Shows what containers run, in which generation, how that is, what they can go
back to, and what became of their last update.

      --json              print an array of objects
  -h, --help              print this text
`

// status is a container as status --json prints it, see syscontainer(1).
type status struct {
	*known
	Description string             `json:"description"`
	Since       *time.Time         `json:"since"`
	MainPID     uint32             `json:"main_pid"`
	LastUpdate  *generation.Update `json:"last_update"`
	Generations []past             `json:"generations"`
}

func runStatus(ctx context.Context, root string, args []string) error {
	flags := newFlags("syscontainer status", func(w io.Writer) { io.WriteString(w, statusHelp) })
	asJSON := flags.Bool("json", false, "")
	names, err := namesFrom(root, "status", flags.Args, func() error { return parse(flags, args) })
	if err != nil {
		return err
	}
	m := readMachine(root)
	var all []*status
	found := m.look(ctx, names)
	for _, k := range found {
		s := &status{known: k, Generations: historyFrom(k.generations).Generations}
		if s.LastUpdate, err = lastUpdate(root, k.Name); err != nil {
			m.problems = append(m.problems, strings.Split(err.Error(), "\n")...)
		}
		if err := s.askSystemd(ctx); err != nil {
			m.problems = append(m.problems, err.Error())
		}
		all = append(all, s)
	}
	m.tell(found)
	if *asJSON {
		return printJSON(all)
	}
	for i, s := range all {
		if i > 0 {
			fmt.Println()
		}
		if err := s.print(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

// askSystemd asks for what list does not show.
func (s *status) askSystemd(ctx context.Context) error {
	if s.load == "" || s.load == "not-found" {
		return nil
	}
	return withSystemdFor(10*time.Second, func(_ context.Context, conn *dbus.Conn) error {
		properties, err := conn.GetAllPropertiesContext(ctx, s.Name+".service")
		if err != nil {
			return fmt.Errorf("ask systemd for %s.service: %w", s.Name, err)
		}
		s.Description, _ = properties["Description"].(string)
		s.MainPID, _ = properties["MainPID"].(uint32)
		if usec, _ := properties["StateChangeTimestamp"].(uint64); usec > 0 {
			since := time.UnixMicro(int64(usec)).UTC().Truncate(time.Second)
			s.Since = &since
		}
		return nil
	})
}

func (s *status) print(w io.Writer) error {
	title := s.Name
	if s.Description != "" && s.Description != s.Name+".service" {
		title += " - " + s.Description
	}
	lines := []string{units.Printable(title)}
	add := func(key, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%11s: ", key)+units.Printable(fmt.Sprintf(format, args...)))
	}
	if s.Unit != "" {
		add("Unit", "%s", s.Unit)
	} else {
		add("Unit", "none")
	}
	state := s.Status
	if s.Since != nil {
		state += " since " + localTime(*s.Since)
	}
	if s.MainPID > 0 {
		state += fmt.Sprintf(", process %d", s.MainPID)
	}
	add("State", "%s", state)
	switch {
	case s.Rootfs != "":
		add("Rootfs", "%s", s.Rootfs)
	case s.Image != "":
		add("Image", "%s", s.Image)
	}
	if s.Running != nil {
		add("Running", "%s%s", *s.Running, s.numbered(*s.Running))
	}
	if s.Next != nil && (s.Running == nil || *s.Next != *s.Running) {
		add("Next start", "%s%s", *s.Next, s.numbered(*s.Next))
	} else if s.Next == nil && s.Image != "" {
		add("Next start", "fetches it first")
	}
	if before, ok := s.generations.Before(); ok {
		add("Back to", "sha256:%s (generation %d)", before.Digest, before.Number)
	}
	add("Update", "%s", s.updateLine())
	if s.Held {
		add("Held", "yes")
	}
	if u := s.LastUpdate; u != nil {
		text := fmt.Sprintf("%s, by %s: %s", localTime(u.Changed), u.By, u.Phase)
		if u.Reason != "" {
			text += ", " + u.Reason
		}
		add("Last update", "%s", strings.ReplaceAll(text, "\n", "; "))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// numbered names the generation of an image.
func (s *status) numbered(digest string) string {
	number, outcome := 0, generation.Outcome("")
	for _, r := range s.generations.Generations {
		if "sha256:"+r.Digest == digest && (number == 0 || number != s.Current) {
			number, outcome = r.Number, r.Outcome
		}
	}
	if number == 0 {
		return ""
	}
	return fmt.Sprintf(" (generation %d, %s)", number, outcome)
}

func (s *status) updateLine() string {
	switch s.known.Update {
	case "unfinished":
		return "one is going on, or was interrupted"
	case "restart":
		return "the next start runs another image"
	case "failed":
		return "the newer image that there was failed"
	case "available":
		return *s.Available + " is in the store"
	case "pinned":
		return "none, Image= is pinned to a digest"
	}
	return "none that the store knows of"
}
