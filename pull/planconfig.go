package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"syscontainer/pull/atomic"
	"syscontainer/pull/store"
)

// configChange is what an image's configuration says otherwise: "" for what it does not say.
type configChange struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// configChanges compares what a container may take from the configurations of two images.
func configChanges(old, new []byte) ([]configChange, error) {
	a, err := configValues(old)
	if err != nil {
		return nil, err
	}
	b, err := configValues(new)
	if err != nil {
		return nil, err
	}
	changes := []configChange{}
	keys := a.keys
	for _, key := range b.keys {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if a.values[key] != b.values[key] {
			changes = append(changes, configChange{key, a.values[key], b.values[key]})
		}
	}
	return changes, nil
}

// configured is a configuration, flat: one value for each variable, label, volume and port.
type configured struct {
	keys   []string // in the order for people
	values map[string]string
}

func configValues(document []byte) (c configured, err error) {
	var d description
	if err := json.Unmarshal(document, &d); err != nil {
		return c, fmt.Errorf("read the image's configuration: %w", err)
	}
	c.values = map[string]string{}
	add := func(key, value string) {
		if _, twice := c.values[key]; !twice && value != "" {
			c.keys = append(c.keys, key)
			c.values[key] = value
		}
	}
	command := func(words []string) string {
		if words == nil {
			return ""
		}
		text, _ := json.Marshal(words)
		return string(text)
	}
	add("Entrypoint", command(d.Config.Entrypoint))
	add("Cmd", command(d.Config.Cmd))
	add("User", d.Config.User)
	add("WorkingDir", d.Config.WorkingDir)
	add("StopSignal", d.Config.StopSignal)
	for _, v := range slices.Sorted(slices.Values(d.Config.Env)) {
		name, value, _ := strings.Cut(v, "=")
		add("Env "+name, quoteEmpty(value))
	}
	for _, v := range slices.Sorted(maps.Keys(d.Config.Volumes)) {
		add("Volume "+v, "yes")
	}
	for _, v := range slices.Sorted(maps.Keys(d.Config.ExposedPorts)) {
		add("Port "+v, "yes")
	}
	if len(d.Config.Labels) == 0 {
		d.Config.Labels = d.ContainerConfig.Labels
	}
	for _, v := range slices.Sorted(maps.Keys(d.Config.Labels)) {
		add("Label "+v, quoteEmpty(d.Config.Labels[v]))
	}
	return c, nil
}

// quoteEmpty lets a variable that is empty differ from one that is not there.
func quoteEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// powerChanges are what the new image's programs and templates may do that the old one's could not, and the other way round.
type powerChanges struct {
	Added   powers `json:"added"`
	Removed powers `json:"removed"`
}

func changedPowers(old, new powers) powerChanges {
	less := func(a, b powers) powers {
		left := powers{}
		for _, p := range a {
			if !slices.Contains(b, p) {
				left = append(left, p)
			}
		}
		slices.Sort(left)
		return left
	}
	return powerChanges{less(new, old), less(old, new)}
}

// templatePowers are the capabilities that templates of a stored image ask for, in this container. What cannot be expanded asks
// for nothing here: the start says what is wrong.
func (m *updated) templatePowers(root string, image store.Image) powers {
	if !m.Template {
		return nil
	}
	e, err := exportsOf(image.Rootfs())
	if err != nil || e == nil {
		return nil
	}
	values := placeOf(root, m.name, m.Image, image.Digest, m.Runtime).Values(m.Set, e.Manifest)
	spec, _, err := e.Configuration(values, machineOf(root))
	if err != nil || spec == nil || spec.Process == nil || spec.Process.Capabilities == nil {
		return nil
	}
	var p powers
	for _, name := range slices.Compact(slices.Sorted(slices.Values(spec.Process.Capabilities.Bounding))) {
		p = append(p, "the payload has "+name)
	}
	return p
}

// capabilityName is a name of capabilities(7) for a number; a later kernel's has none yet.
func capabilityName(number int) string {
	if number <= atomic.AnyCapability {
		return atomic.Capabilities(number)[number]
	}
	return fmt.Sprintf("capability %d", number)
}
