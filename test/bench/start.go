// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
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
	binds := map[string]string{"/srv/registry": storage, "/opt/bench": filepath.Dir(self)}
	if quadlet, err := findQuadlet(); err == nil {
		binds[filepath.Dir(onHostQuadlet)] = filepath.Dir(quadlet)
	}
	res, err := host.Boot(ctx, host.Options{
		Script: fmt.Sprintf(`systemd-run --quiet --unit=registry /opt/parts/docker-registry serve /etc/registry.yml
until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.05; done
/opt/bench/%s -inside %s -runs %d
`, filepath.Base(self), part, runs),
		Binds:   binds,
		Files:   all,
		Timeout: 20 * time.Minute,
	})
	fmt.Print(res.Stdout)
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("on the host: %v", res)
	}
	return err
}

// A shell that ends on SIGTERM: a process 1 without handler would only make the stop wait.
const (
	sleeper   = `/bin/sh -c 'trap "exit 0" TERM; sleep 1000 & wait'`
	container = "[Container]\nImage=127.0.0.1:5000/bench:1\nRuntime=%s\nExec=" + sleeper + "\n"
)

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
	plain := "[Service]\nExecStart=" + sleeper + "\n"
	files := map[string]string{
		"/etc/systemd/system/plain.service":               plain,
		"/etc/systemd/system/plain-many@.service":         plain,
		"/etc/containers/systemd/runc.syscontainer":       fmt.Sprintf(container, "runc"),
		"/etc/containers/systemd/runc-many@.syscontainer": fmt.Sprintf(container, "runc"),
		// The least that the runtime alone takes, for what is left is ours.
		"/etc/containers/systemd/bare.syscontainer": fmt.Sprintf(container, "runc") + "SeccompProfile=unconfined\n",
	}
	if host.CrunWorks() {
		files["/etc/containers/systemd/crun.syscontainer"] = fmt.Sprintf(container, "crun")
		files["/etc/containers/systemd/crun-many@.syscontainer"] = fmt.Sprintf(container, "crun")
	}
	for _, n := range crowds {
		files[fmt.Sprintf("/etc/systemd/system/quadlet-%d.target", n)] = crowd("quadlet", n)
	}
	for name := range files {
		if kind, ok := strings.CutSuffix(filepath.Base(strings.TrimSuffix(name, filepath.Ext(name))), "-many@"); ok {
			for _, n := range crowds {
				files[fmt.Sprintf("/etc/systemd/system/%s-%d.target", kind, n)] = crowd(kind, n)
			}
		}
	}
	fmt.Println("start and stop of a service, image present")
	if !host.CrunWorks() {
		fmt.Println("  without crun, which cannot run in a host on this machine")
	}
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
	names, kinds := []string{"plain", "runc", "bare"}, []string{"plain", "runc"}
	if _, err := os.Stat("/etc/containers/systemd/crun.syscontainer"); err == nil {
		names, kinds = append(names, "crun"), append(kinds, "crun")
	}
	if err := call("syscontainer", "pull", "127.0.0.1:5000/bench:1")(); err != nil {
		return err
	}
	quadlet, err := makeQuadlet(call)
	if err != nil {
		return err
	}
	if quadlet {
		names, kinds = append(names, "quadlet"), append(kinds, "quadlet")
	} else {
		fmt.Println("  without Quadlet: podman or quadlet is missing")
	}
	var things []func() error
	for _, name := range names {
		things = append(things, forgetting(call("systemctl", "start", name)), call("systemctl", "stop", name))
	}
	alone, remove, err := runtimeAlone(call)
	if err != nil {
		return err
	}
	things = append(things, alone, remove)
	// A shell that is stopped before it has set its trap would not end; nor is it there at once when systemctl returns.
	f, err := measure(runs, 250*time.Millisecond, things...)
	if err != nil {
		return err
	}
	for i, name := range names {
		if name == "bare" {
			name = "runc without seccomp"
		}
		row(name+", start", f[2*i], ratio(f[2*i], f[0])+" times plain")
		row(name+", stop", f[2*i+1], ratio(f[2*i+1], f[1])+" times plain")
	}
	if quadlet {
		last := len(names) - 1
		fmt.Printf("  of Quadlet's, runc's start takes %s, its stop %s\n", ratio(f[2], f[2*last]), ratio(f[3], f[2*last+1]))
	}
	own := f[2*len(names)]
	row("runc create and runc start alone", own, fmt.Sprintf("a start costs plain + %.2f times this", float64(f[2].Median-f[0].Median)/float64(own.Median)))
	if err := benchRender(ctx, runs, call); err != nil {
		return err
	}
	for _, n := range crowds {
		if err := benchCrowd(kinds, n, call); err != nil {
			return err
		}
	}
	return nil
}

// runtimeAlone has runc make the same container, and removes it.
func runtimeAlone(call func(string, ...string) func() error) (start, remove func() error, err error) {
	if err := call("/usr/libexec/syscontainer/render", "--unit=/run/systemd/generator/runc.service", "runc")(); err != nil {
		return nil, nil, err
	}
	// What render --start would do first.
	const bundle = "/run/bench"
	if err := os.Rename("/run/syscontainer/runc", bundle); err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(bundle + "/root.json")
	if err != nil {
		return nil, nil, err
	}
	var plan struct{ Lower []string }
	if err := json.Unmarshal(data, &plan); err != nil {
		return nil, nil, err
	}
	lower := strings.ReplaceAll(strings.Join(plan.Lower, ":"), "/run/syscontainer/runc/", bundle+"/")
	arguments := []string{"-t", "overlay", "-o", "ro,lowerdir=" + lower, "overlay", bundle + "/rootfs"}
	if len(plan.Lower) == 1 {
		arguments = []string{"--bind", lower, bundle + "/rootfs"}
	}
	if err := call("mount", arguments...)(); err != nil {
		return nil, nil, err
	}
	if err := call("sed", "-i", "s,/run/syscontainer/runc/,"+bundle+"/,g", bundle+"/config.json")(); err != nil {
		return nil, nil, err
	}
	run := call("runc", "start", "alone")
	return func() error {
		// Not call: the payload keeps the standard output, and nobody would see its end.
		if err := exec.Command("runc", "create", "--bundle", bundle, "alone").Run(); err != nil {
			return fmt.Errorf("runc create: %w", err)
		}
		return run()
	}, call("runc", "delete", "--force", "alone"), nil
}

// benchRender is the part of a start that is all ours, without the runtime.
func benchRender(ctx context.Context, runs int, call func(string, ...string) func() error) error {
	render := []string{"/usr/libexec/syscontainer/render", "--unit=/run/systemd/generator/runc.service", "runc"}
	f, err := measure(runs, 0, call("/bin/true"), call(render[0], render[1:]...))
	if err != nil {
		return err
	}
	memory, err := peak(exec.CommandContext(ctx, render[0], render[1:]...))
	if err != nil {
		return err
	}
	executed := "strace is missing"
	if _, err := exec.LookPath("strace"); err == nil {
		if err := call("strace", append([]string{"-f", "-o", "/run/trace", "-e", "trace=execve"}, render...)...)(); err != nil {
			return err
		}
		trace, err := os.ReadFile("/run/trace")
		if err != nil {
			return err
		}
		executed = fmt.Sprintf("%d programs executed", strings.Count(string(trace), "execve(")-1)
	}
	row("render, nothing to fetch", f[1], fmt.Sprintf("%9s  %s times /bin/true, %s", memory, ratio(f[1], f[0]), executed))
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
