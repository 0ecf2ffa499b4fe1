// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// onHostQuadlet is where a host finds Quadlet. It is no generator there: only these units are made.
const onHostQuadlet = "/opt/quadlet/quadlet"

// quadletContainer is the container of start.go for podman. Where the machine's cgroups have no controllers, podman's own limit
// of processes cannot be set.
const quadletContainer = "[Container]\nImage=127.0.0.1:5000/bench:1\nNetwork=host\nVolume=" + here + ":" + here + "\nExec=" + sleeper +
	"\nPodmanArgs=--runtime=%s --pids-limit=0\n"

// makeQuadlet loads the units that Quadlet makes of its files, and pulls the image. It reports whether there is Quadlet and a
// podman on this host.
func makeQuadlet(call func(string, ...string) func() error) (bool, error) {
	if _, err := os.Stat(onHostQuadlet); err != nil {
		return false, nil
	}
	if _, err := exec.LookPath("podman"); err != nil {
		return false, nil
	}
	const in, out = "/run/quadlet", "/run/systemd/system"
	for name, runtime := range map[string]string{"quadlet": "runc", "quadlet-many@": "runc", "quadlet-crun": "crun"} {
		if err := write(filepath.Join(in, name+".container"), fmt.Sprintf(quadletContainer, runtime)); err != nil {
			return false, err
		}
	}
	for _, step := range []func() error{
		// Its storage cannot lie on an overlay, which a host's root is.
		func() error { return os.MkdirAll("/var/lib/containers", 0o755) },
		call("mount", "-t", "tmpfs", "tmpfs", "/var/lib/containers"),
		call("podman", "pull", "docker://127.0.0.1:5000/bench:1"),
		func() error { return os.MkdirAll(out, 0o755) },
		call("env", "QUADLET_UNIT_DIRS="+in, onHostQuadlet, out, out, out),
		call("systemctl", "daemon-reload"),
	} {
		if err := step(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// forgetting starts something after the files are away that keep Quadlet's containers from starting again: podman 4 leaves them.
func forgetting(start func() error) func() error {
	return func() error {
		stale, err := filepath.Glob("/run/quadlet*.cid")
		if err != nil {
			return err
		}
		for _, file := range stale {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		return start()
	}
}
