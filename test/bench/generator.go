// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"syscontainer/test/host"
)

// typical are twenty assignments, of which Quadlet makes the same container.
const typical = `[Unit]
Description=Service number %[1]d
Documentation=https://example.com/service
After=local-fs.target
Wants=local-fs.target

[Container]
Image=registry.example.com/service-%[1]d:1.0
Exec=/usr/bin/service --number=%[1]d "two words"
Environment=NUMBER=%[1]d NAME=service
Environment="GREETING=good morning"
User=1000:1000
WorkingDir=/srv
Volume=/var/lib/service-%[1]d:/var/lib/service
Volume=/etc/service-%[1]d:/etc/service:ro
AddCapability=NET_BIND_SERVICE
ReadOnly=yes
Network=host

[Service]
Restart=on-failure
RestartSec=5
MemoryMax=256M
TasksMax=100

[Install]
WantedBy=multi-user.target
`

// scenes are trees of unit files: how many, and where each lies.
var scenes = []struct {
	name string
	n    int
	path func(i int) string // without suffix
	runs int                // at most; Quadlet takes its time
}{
	{"0 units", 0, flat, 1000}, {"1 unit", 1, flat, 1000}, {"10 units", 10, flat, 1000}, {"100 units", 100, flat, 1000}, {"1000 units", 1000, flat, 1000}, {"5000 units", 5000, flat, 5},
	// Each name has drop-in directories of its own, up to five, that might be in any of the directories.
	{"999 units in as many directories", 999, func(i int) string { return fmt.Sprintf("dir-%d/a-b-c-d-%d", i, i) }, 3},
}

func flat(i int) string { return fmt.Sprintf("service-%d", i) }

// benchGenerator runs the generator on growing numbers of files, Quadlet's next to it on the same ones.
func benchGenerator(ctx context.Context, runs int) error {
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	ours := filepath.Join(host.Stage(), "usr/lib/systemd/system-generators/syscontainer-generator")
	quadlet, err := findQuadlet()
	fmt.Println("generator, one run (a process that does nothing: /bin/true)")
	if err != nil {
		fmt.Println("  nothing to compare with:", err)
	}
	for i, scene := range scenes {
		tree := filepath.Join(dir, fmt.Sprint(i))
		for k := range scene.n {
			for _, suffix := range []string{"syscontainer", "container"} {
				if err := write(filepath.Join(tree, suffix, scene.path(k)+"."+suffix), fmt.Sprintf(typical, k)); err != nil {
					return err
				}
			}
		}
		mine := &generatorRun{program: ours, env: "SYSCONTAINER_UNIT_DIRS=" + filepath.Join(tree, "syscontainer"), out: filepath.Join(dir, "out")}
		theirs := &generatorRun{program: quadlet, env: "QUADLET_UNIT_DIRS=" + filepath.Join(tree, "container"), out: mine.out}
		// Output is thrown away before every run, as systemd does; nobody waits for that.
		things := []func() error{mine.clear, mine.run(ctx), func() error { return exec.CommandContext(ctx, "/bin/true").Run() }}
		if quadlet != "" {
			things = append(things, theirs.clear, theirs.run(ctx))
		}
		f, err := measure(min(runs, scene.runs), 0, things...)
		if err != nil {
			return err
		}
		memory, err := mine.memory(ctx)
		if err != nil {
			return err
		}
		row(scene.name, f[1], fmt.Sprintf("%9s  %s times /bin/true", memory, ratio(f[1], f[2])))
		if quadlet != "" {
			if memory, err = theirs.memory(ctx); err != nil {
				return err
			}
			row("  Quadlet", f[4], fmt.Sprintf("%9s  ours takes %s of it", memory, ratio(f[1], f[4])))
		}
		if err := os.RemoveAll(tree); err != nil {
			return err
		}
	}
	return nil
}

func findQuadlet() (string, error) {
	for _, name := range []string{"/usr/libexec/podman/quadlet", filepath.Join(host.Cache(), "parts/usr/libexec/podman/quadlet")} {
		if _, err := os.Stat(name); err == nil {
			return name, nil
		}
	}
	return "", errors.New("no quadlet: test/run --bench fetches it on Debian")
}

// generatorRun is one generator on one tree.
type generatorRun struct {
	program, env, out string
}

func (g *generatorRun) clear() error {
	if err := os.RemoveAll(g.out); err != nil {
		return err
	}
	return os.Mkdir(g.out, 0o755)
}

func (g *generatorRun) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.program, g.out, g.out, g.out)
	cmd.Env = []string{"PATH=/usr/bin", g.env}
	return cmd
}

func (g *generatorRun) run(ctx context.Context) func() error {
	return func() error { return g.command(ctx).Run() }
}

// memory is the most that a run has resident.
func (g *generatorRun) memory(ctx context.Context) (string, error) {
	if err := g.clear(); err != nil {
		return "", err
	}
	return peak(g.command(ctx))
}
