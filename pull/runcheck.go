package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"syscontainer/units"
)

// checkProperties asks systemd-analyze(1) for what systemd would not understand in the
// lines of --property: it would leave them out, and only tell the journal. A machine
// without that program does without.
func (s *session) checkProperties(text string) error {
	if !slices.ContainsFunc(s.lines, func(l unitLine) bool { return l.section == "Service" }) {
		return nil
	}
	program, err := findProgram("systemd-analyze")
	if err != nil {
		return nil
	}
	file := s.home.file(s.name + ".service")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	output, _ := exec.Command(program, "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
	lines := strings.Split(text, "\n")
	var messages []string
	for said := range bytes.Lines(output) {
		rest, ours := strings.CutPrefix(strings.TrimSpace(string(said)), file+":")
		number, message, _ := strings.Cut(rest, ": ")
		n, err := strconv.Atoi(number)
		if !ours || err != nil || n < 1 || n > len(lines) {
			continue
		}
		for _, l := range s.lines {
			if l.section == "Service" && lines[n-1] == l.key+"="+strings.TrimSpace(l.value) {
				messages = append(messages, fmt.Sprintf("%s: %s", shortened(l.origin), units.Printable(strings.Replace(message, ", ignoring", "", 1))))
				break
			}
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return errors.New(strings.Join(messages, "\n"))
}
