// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// onHost boots a host with the images, this program and the files of a registry, and runs one of its parts there.
func onHost(ctx context.Context, part string, runs int, storage string, files map[string]string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	all := map[string]string{
		"/etc/registry.yml":               image.Registry{Address: "127.0.0.1:5000", Storage: "/srv/registry"}.Config(),
		"/etc/containers/policy.json":     `{"default":[{"type":"insecureAcceptAnything"}]}`,
		"/etc/containers/registries.conf": "[[registry]]\nlocation = \"127.0.0.1:5000\"\ninsecure = true\n",
		// Starting often is the point.
		"/etc/systemd/system.conf.d/bench.conf": "[Manager]\nDefaultStartLimitIntervalSec=0\n",
	}
	for name, content := range files {
		all[name] = content
	}
	res, err := host.Boot(ctx, host.Options{
		Script: fmt.Sprintf(`systemd-run --quiet --unit=registry /opt/parts/docker-registry serve /etc/registry.yml
until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.05; done
/opt/bench/%s -inside %s -runs %d
`, filepath.Base(self), part, runs),
		Binds:   map[string]string{"/srv/registry": storage, "/opt/bench": filepath.Dir(self)},
		Files:   all,
		Timeout: 20 * time.Minute,
	})
	fmt.Print(res.Stdout)
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("on the host: %v", res)
	}
	return err
}

// benchStart starts and stops a sleeping container, and a plain service that sleeps as well.
func benchStart(ctx context.Context, runs int) error {
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	busybox, err := image.Busybox(host.Part("busybox"))
	if err != nil {
		return err
	}
	storage, err := stored(dir, image.Image{Layers: []image.Layer{{Entries: busybox}}, Config: image.Config{Env: []string{"PATH=/bin"}}})
	if err != nil {
		return err
	}
	// A shell that ends on SIGTERM: a process 1 without handler would only make the stop wait.
	const container = "[Container]\nImage=127.0.0.1:5000/bench:1\nExec=/bin/sh -c 'trap \"exit 0\" TERM; sleep 1000 & wait'\nRuntime=%s\n"
	files := map[string]string{
		"/etc/systemd/system/plain.service":         "[Service]\nExecStart=/bin/sh -c 'trap \"exit 0\" TERM; sleep 1000 & wait'\n",
		"/etc/containers/systemd/runc.syscontainer": fmt.Sprintf(container, "runc"),
	}
	if host.CrunWorks() {
		files["/etc/containers/systemd/crun.syscontainer"] = fmt.Sprintf(container, "crun")
	}
	fmt.Println("start and stop of a service, image present")
	return onHost(ctx, "start", runs, storage, files)
}

func insideHost(ctx context.Context, runs int) error {
	call := func(name string, args ...string) func() error {
		return func() error {
			if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
			}
			return nil
		}
	}
	names := []string{"plain", "runc"}
	if _, err := os.Stat("/etc/containers/systemd/crun.syscontainer"); err == nil {
		names = append(names, "crun")
	}
	var things []func() error
	for _, name := range names {
		things = append(things, call("systemctl", "start", name), call("systemctl", "stop", name))
	}
	// A shell that is stopped before it has set its trap would not end.
	f, err := measure(runs, 100*time.Millisecond, things...)
	if err != nil {
		return err
	}
	for i, name := range names {
		row(name+", start", f[2*i], ratio(f[2*i], f[0])+" times plain")
		row(name+", stop", f[2*i+1], ratio(f[2*i+1], f[1])+" times plain")
	}
	const render = "/usr/libexec/syscontainer/render"
	f, err = measure(runs, 0, call("/bin/true"), call(render, "--unit=/run/systemd/generator/runc.service", "runc"))
	if err != nil {
		return err
	}
	row("render, nothing to fetch", f[1], ratio(f[1], f[0])+" times /bin/true")
	return nil
}

// stored pushes one image as bench:1 and returns the registry's storage.
func stored(dir string, img image.Image) (string, error) {
	l, err := image.Create(filepath.Join(dir, "oci"))
	if err != nil {
		return "", err
	}
	if _, err := l.Put("bench", img); err != nil {
		return "", err
	}
	storage := filepath.Join(dir, "registry")
	if err := os.Mkdir(storage, 0o755); err != nil {
		return "", err
	}
	r, err := image.Serve(host.Part("docker-registry"), storage)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return storage, r.Push("oci:"+l.Dir+":bench", "bench:1")
}
