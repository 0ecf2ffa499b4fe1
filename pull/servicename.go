package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// serviceOf is the service, without suffix, that a person means with the name of a
// file or of a service. The file of a container that runs may be gone. Of a template
// without an instance it is the template's own name, such as "web@".
func serviceOf(root, word string) (string, error) {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(word), ".syscontainer"), ".service")
	parsed, err := units.ParseName(name)
	if err != nil {
		return "", fmt.Errorf("there is no unit %q: %w", word, err)
	}
	u, err := findUnit(root, units.Load(root, units.SearchPath()), word)
	if err != nil {
		if _, gone := store.ReadLaunch(store.Bundle(root, name)); gone == nil {
			return name, nil
		}
		if _, gone := os.Lstat(serviceFile(name)); gone == nil && root == "/" { // of run, which failed
			return name, nil
		}
		return "", err
	}
	if u.Name.Template && parsed.Instance != "" {
		return u.Name.Full + parsed.Instance, nil
	}
	return u.Name.Full, nil
}
