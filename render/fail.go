package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// fail is ExecStart= of the service that the generator writes for a file with
// errors: it says them where people look, in the journal and in systemctl status.
func fail(o options) int {
	data, err := os.ReadFile(o.unit)
	if err != nil {
		report(priorityError, o.name, fmt.Errorf("read the unit: %w", err))
		return exitConfig
	}
	messages := sectionValues(data, "X-Error", "Error")
	if len(messages) == 0 {
		messages = []string{o.name + ": the unit has errors, but does not say which"}
	}
	var b strings.Builder
	for _, message := range messages {
		b.WriteString("<3>" + message + "\n")
	}
	os.Stderr.WriteString(b.String())
	if err := notify("STATUS=" + firstLine(messages[0])); err != nil {
		report(priorityWarning, o.name, err)
	}
	return exitConfig
}

// sectionValues lists the values of a key in a section of a unit that the
// generator wrote: one assignment a line, nothing continued.
func sectionValues(data []byte, section, key string) (values []string) {
	inside := false
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			inside = text == "["+section+"]"
		} else if name, value, ok := strings.Cut(text, "="); inside && ok && strings.TrimSpace(name) == key {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}
