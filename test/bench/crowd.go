// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// crowds are how many containers run at the same time.
var crowds = []int{1, 10, 50}

// crowd is a target that starts that many instances of a template.
func crowd(kind string, n int) string {
	var b strings.Builder
	b.WriteString("[Unit]\n")
	for i := range n {
		fmt.Fprintf(&b, "Wants=%s-many@%d.service\n", kind, i)
	}
	return b.String()
}

// benchCrowd starts n services of each kind by one target, as a boot does, and looks at what is there then that is no payload.
func benchCrowd(kinds []string, n int, call func(string, ...string) func() error) error {
	var plain figure
	for _, kind := range kinds {
		target := fmt.Sprintf("%s-%d.target", kind, n)
		var rest residue
		start := forgetting(call("systemctl", "start", target))
		f, err := measure(3, time.Second, start, func() (err error) {
			if rest, err = besidePayloads(kind+"-many@", n); err != nil {
				return err
			}
			return call("systemctl", "stop", target, kind+"-many@*.service")()
		})
		if err != nil {
			return err
		}
		if kind == "plain" {
			plain = f[0]
		}
		row(fmt.Sprintf("%d %s by one target", n, kind), f[0], ratio(f[0], plain)+" times plain, "+rest.String())
	}
	return nil
}

// residue is what stays beside the payloads while containers run.
type residue struct {
	payloads, processes, kibibytes int
}

func (r residue) String() string {
	return fmt.Sprintf("%d payloads, beside them %d processes, %d KiB", r.payloads, r.processes, r.kibibytes)
}

// besidePayloads counts the processes of the units whose names begin so, and everything else that starts containers wherever
// it is. It is an error if one of the n units has no process.
func besidePayloads(prefix string, n int) (r residue, err error) {
	units := make(map[string]bool)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return r, err
	}
	for _, dir := range dirs {
		cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil {
			continue // it has ended
		}
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		busybox := strings.HasSuffix(exe, "/busybox") || strings.HasSuffix(exe, "/sh") || strings.HasSuffix(exe, "/dash") || strings.HasSuffix(exe, "/sleep")
		ours := false
		for _, name := range []string{"render", "runc", "crun", "conmon", "syscontainer"} {
			ours = ours || strings.Contains(filepath.Base(exe), name)
		}
		unit := ""
		for _, part := range strings.Split(strings.TrimSpace(string(cgroup)), "/") {
			if strings.HasPrefix(part, prefix) {
				unit = part
			}
		}
		switch {
		case unit != "" && busybox:
			units[unit] = true
		case unit != "" || ours:
			r.processes++
			r.kibibytes += resident(dir)
		}
	}
	if r.payloads = len(units); r.payloads != n {
		return r, fmt.Errorf("%d of %d units of %s have a process", r.payloads, n, prefix)
	}
	return r, nil
}

// resident is a process's share of the memory, in KiB.
func resident(dir string) int {
	data, _ := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "Pss:" {
			kibibytes, _ := strconv.Atoi(words[1])
			return kibibytes
		}
	}
	return 0
}
