package store

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Launch is how the runtime of a container is called. render writes it into the bundle;
// whoever calls the runtime afterwards has to do it in the same way, or the runtime
// does not find the container.
type Launch struct {
	Runtime string   `json:"runtime"` // a path, or a name in PATH
	ID      string   `json:"id"`
	Args    []string `json:"args,omitempty"` // RuntimeArgs=: before the command
}

// Bundle is the directory of a service's container, which is there while it runs.
// name, without ".service", must be one that systemd allows.
func Bundle(root, name string) string { return filepath.Join("/", root, bundles, name) }

// ReadLaunch reads launch.json of a bundle; without one the error is fs.ErrNotExist.
func ReadLaunch(bundle string) (l Launch, err error) {
	file := filepath.Join(bundle, launchFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("read %s: %w", file, err)
	}
	if l.ID == "" {
		return l, fmt.Errorf("read %s: it names no container", file)
	}
	return l, nil
}

// Write makes launch.json of a bundle.
func (l Launch) Write(bundle string) error {
	file := filepath.Join(bundle, launchFile)
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

// Command is the runtime's arguments for what words say, below root.
func (l Launch) Command(root string, words ...string) []string {
	args := append(slices.Clone(l.Args), words...)
	if root != "" && root != "/" {
		args = append([]string{"--root", filepath.Join("/", root, "run", StateKind(l.Runtime))}, args...)
	}
	return args
}

// StateKind is the directory below /run where a runtime keeps its containers, by its
// program's name.
func StateKind(program string) string {
	if strings.Contains(filepath.Base(program), "crun") {
		return "crun"
	}
	return "runc"
}
