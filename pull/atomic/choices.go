package atomic

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Choices tells from the values that Atomic recorded of an installation, all of them, which ones a person made: "NAME=VALUE",
// by name. The rest comes again by itself: what the container gives, what the system has by default, what the image of the
// installation has in its manifest. Of the capabilities, the runtime and the command nobody can tell any more, and their
// defaults move on. UUID stays as it was.
func Choices(recorded map[string]json.RawMessage, name string, m *Manifest) (set []string, err error) {
	values := map[string]string{}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(recorded)) {
		if ClassOf(key) == Forced || slices.Contains([]string{"ALL_PROCESS_CAPABILITIES", "RUNTIME", "ATOMIC"}, key) {
			continue
		}
		text, err := pythonString(recorded[key])
		if n := nameLength(key); err == nil && (n == 0 || n != len(key)) {
			err = errors.New("it is no name of a variable")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("values: %.100q: %w", key, err))
		}
		values[key] = text
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var run []string
	if directory, given := values["RUN_DIRECTORY"]; given {
		run = []string{"RUN_DIRECTORY=" + directory} // PIDFILE is below it
	}
	defaults := Place{Name: name}.Values(run, new(Manifest))
	defaults["RUN_DIRECTORY"] = "/run"
	delete(defaults, "UUID")
	for key, value := range m.Defaults {
		if ClassOf(key) == FromUser || key == "UUID" {
			defaults[key] = value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if usual, known := defaults[key]; !known || usual != values[key] {
			set = append(set, key+"="+values[key])
		}
	}
	return set, nil
}
