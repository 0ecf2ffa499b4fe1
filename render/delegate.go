package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// delegated are the files of a cgroup that whoever manages what is below must write, on
// kernels that do not say so themselves (cgroups(7), "Cgroup delegation: delegating a
// hierarchy to a less privileged user").
const (
	delegatedFiles = "/sys/kernel/cgroup/delegate"
	delegated      = "cgroup.procs cgroup.threads cgroup.subtree_control"
)

// delegate gives the payload's cgroup to the container's root, who may then make others
// below it. Limits on it stay out of that root's reach: they are the unit's, whose
// cgroup is above. Runtimes do this only where they ask systemd for cgroups.
func (p rootPlan) delegate(unit string) error {
	if !p.Delegate || p.Map == nil {
		return nil
	}
	uid, gid := p.Map.owner(0, 0)
	dir := filepath.Join(cgroupRoot, unit, "payload")
	names := strings.Fields(delegated)
	if data, err := os.ReadFile(delegatedFiles); err == nil {
		names = strings.Fields(string(data))
	}
	for _, name := range append(names, ".") {
		err := os.Lchown(filepath.Join(dir, name), uid, gid)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // of a controller that is off
			return fmt.Errorf("give the container its cgroup: %w", err)
		}
	}
	return nil
}
