package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// settlePatched does for the mounts and the working directory of a patched specification
// what was done for those before: their targets are where the links of the root lead, and
// never among what the kernel shows, and what bind mounts show is there. The document
// keeps what only a runtime understands.
func settlePatched(b bundle, document []byte, s *rspec.Spec, t *tree) ([]byte, error) {
	for _, m := range s.Mounts {
		source := m.Source
		if !filepath.IsAbs(source) {
			source = b.file(source) // runtime-spec, "Mounts"
		}
		if _, err := os.Stat(source); isBind(m) && err != nil {
			err = fmt.Errorf("ConfigPatch=: mount %s on %s: %w", m.Source, m.Destination, cause(err))
			return nil, withHintIf(err, errors.Is(err, os.ErrNotExist), "create it, or let Tmpfiles= do so")
		}
	}
	before, cwd := slices.Clone(s.Mounts), s.Process.Cwd
	if err := settleMounts(t, s); err != nil {
		return nil, fmt.Errorf("ConfigPatch=: %w", err)
	}
	value, err := decodeJSON(document)
	if err != nil {
		return nil, err
	}
	// patch has seen to it that these are what they must be.
	object, _ := value.(map[string]any)
	process, _ := object["process"].(map[string]any)
	mounts, _ := object["mounts"].([]any)
	changed := false
	for i, m := range s.Mounts {
		if mount, ok := mounts[i].(map[string]any); ok && m.Destination != before[i].Destination {
			mount["destination"], changed = m.Destination, true
		}
	}
	if s.Process.Cwd != cwd {
		process["cwd"], changed = s.Process.Cwd, true
	}
	if !changed {
		return document, nil
	}
	return json.Marshal(value)
}

// isBind tells what runtimes take for a bind mount.
func isBind(m rspec.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}
