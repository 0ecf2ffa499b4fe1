// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"syscontainer/test/host"
)

const typical = `[Unit]
Description=Service number %[1]d

[Container]
Image=registry.example.com/service-%[1]d:1.0
Exec=/usr/bin/service --number=%[1]d "two words"
Environment=NUMBER=%[1]d NAME=service
Volume=/var/lib/service-%[1]d:/var/lib/service

[Service]
Restart=on-failure
MemoryMax=256M

[Install]
WantedBy=multi-user.target
`

// benchGenerator runs the generator on growing numbers of files, Quadlet's next to it on the same ones.
func benchGenerator(ctx context.Context, runs int) error {
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	ours := filepath.Join(host.Stage(), "usr/lib/systemd/system-generators/syscontainer-generator")
	quadlet := "/usr/libexec/podman/quadlet"
	_, err = os.Stat(quadlet)
	compare := err == nil
	fmt.Println("generator, one run (a process that does nothing: /bin/true)")
	if !compare {
		fmt.Println("  Quadlet is not installed here: nothing to compare with")
	}
	for _, n := range []int{0, 1, 100, 1000} {
		out := filepath.Join(dir, fmt.Sprint(n, "-out"))
		files := func(suffix string) string { return filepath.Join(dir, fmt.Sprint(n), suffix) }
		for i := range n {
			text := fmt.Sprintf(typical, i)
			for _, suffix := range []string{"syscontainer", "container"} {
				if err := write(filepath.Join(files(suffix), fmt.Sprintf("service-%d.%s", i, suffix)), text); err != nil {
					return err
				}
			}
		}
		generate := func(program, variable, suffix string) func() error {
			return func() error {
				// Output is thrown away before every run, as systemd does; that is measured with it, for both.
				if err := os.RemoveAll(out); err != nil {
					return err
				}
				if err := os.Mkdir(out, 0o755); err != nil {
					return err
				}
				cmd := exec.CommandContext(ctx, program, out, out, out)
				cmd.Env = []string{"PATH=/usr/bin", variable + "=" + files(suffix)}
				return cmd.Run()
			}
		}
		things := []func() error{func() error { return exec.CommandContext(ctx, "/bin/true").Run() }, generate(ours, "SYSCONTAINER_UNIT_DIRS", "syscontainer")}
		if compare {
			things = append(things, generate(quadlet, "QUADLET_UNIT_DIRS", "container"))
		}
		f, err := measure(runs, 0, things...)
		if err != nil {
			return err
		}
		row(fmt.Sprintf("%d units", n), f[1], ratio(f[1], f[0])+" times /bin/true")
		if compare {
			row("  Quadlet", f[2], ratio(f[2], f[1])+" times ours")
		}
	}
	return nil
}
