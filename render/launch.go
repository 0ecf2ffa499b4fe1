package main

import (
	"encoding/json"
	"fmt"
	"os"

	"syscontainer/units"
)

// launch is how a runtime is called for a container.
type launch struct {
	Runtime string   `json:"runtime"` // a path, or a name in PATH
	ID      string   `json:"id"`
	Args    []string `json:"args,omitempty"` // before the command
}

// launchOf is the one that a unit wants.
func launchOf(o options, c *units.Container, runtime string) launch {
	id := c.Name
	if id == "" {
		id = containerID(o.name)
	}
	return launch{runtime, id, c.RuntimeArgs}
}

// given is the one of the command line. RuntimeArgs= come from the bundle, so that no
// word of a unit stands in an Exec line.
func given(o options, b bundle) launch {
	l := launch{Runtime: o.runtime, ID: o.id}
	if l.ID == "" {
		l.ID = containerID(o.name)
	}
	if recorded, ok := b.launch(); ok {
		l.Args = recorded.Args
	}
	return l
}

// launch is the one the bundle was made for; ok is false without a bundle.
func (b bundle) launch() (l launch, ok bool) {
	data, err := os.ReadFile(b.file("launch.json"))
	return l, err == nil && json.Unmarshal(data, &l) == nil && l.ID != ""
}

func (b bundle) record(l launch) error {
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write %s: %w", b.file("launch.json"), err)
	}
	return os.WriteFile(b.file("launch.json"), append(data, '\n'), 0o600)
}
