// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

// A shell that says when it runs, in a directory that it shares with the host, and ends on SIGTERM: a process 1 without handler
// would only make the stop wait.
const (
	here      = "/here"
	sign      = here + "/runs"
	sleeper   = `/bin/sh -c 'trap "exit 0" TERM; : >` + sign + `; sleep 1000 & wait'`
	container = "[Container]\nImage=127.0.0.1:5000/bench:1\nRuntime=%s\nVolume=" + here + ":" + here + "\nExec=" + sleeper + "\n"
)

// The same on three hosts: one that shares the machine's kernel and programs, one of another release, and one that is slow,
// but has all controllers of cgroup v2.
func benchStart(ctx context.Context, runs int) error      { return benchStartOn(ctx, throwAway, runs) }
func benchStartNewer(ctx context.Context, runs int) error { return benchStartOn(ctx, newer, runs) }
func benchStartVM(ctx context.Context, runs int) error    { return benchStartOn(ctx, virtual, runs) }

// benchStartOn starts and stops a sleeping container, and a plain service that sleeps as well.
func benchStartOn(ctx context.Context, p place, runs int) error {
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
	if p.crun() {
		files["/etc/containers/systemd/crun.syscontainer"] = fmt.Sprintf(container, "crun")
		files["/etc/containers/systemd/crun-many@.syscontainer"] = fmt.Sprintf(container, "crun")
	}
	for _, n := range p.crowds {
		files[fmt.Sprintf("/etc/systemd/system/quadlet-%d.target", n)] = crowd("quadlet", n)
	}
	for name := range files {
		if kind, ok := strings.CutSuffix(filepath.Base(strings.TrimSuffix(name, filepath.Ext(name))), "-many@"); ok {
			for _, n := range p.crowds {
				files[fmt.Sprintf("/etc/systemd/system/%s-%d.target", kind, n)] = crowd(kind, n)
			}
		}
	}
	fmt.Println("start and stop of a service, image present, on " + p.name)
	if !p.crun() {
		fmt.Println("  without crun, which cannot run in a host on this machine")
	}
	return p.run(ctx, "start", runs, storage, files)
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
	_, err := os.Stat("/etc/containers/systemd/crun.syscontainer")
	crun := err == nil
	if crun {
		names, kinds = append(names, "crun"), append(kinds, "crun")
	}
	if err := os.Mkdir(here, 0o755); err != nil {
		return err
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
		if crun {
			names = append(names, "quadlet-crun")
		}
	} else {
		fmt.Println("  without Quadlet: podman or quadlet is missing")
	}
	var things []func() error
	for _, name := range names {
		things = append(things, forgetting(untilItRuns(call("systemctl", "start", name))), call("systemctl", "stop", name))
	}
	alone, remove, err := runtimeAlone(call)
	if err != nil {
		return err
	}
	things = append(things, alone, remove)
	// What a stop leaves to be done must not cost the next.
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
		compare := func(ours, theirs string) {
			i, k := 2*slices.Index(names, ours), 2*slices.Index(names, theirs)
			fmt.Printf("  %s's start takes %s of %s's, its stop %s\n", ours, ratio(f[i], f[k]), theirs, ratio(f[i+1], f[k+1]))
		}
		compare("runc", "quadlet")
		if crun {
			compare("crun", "quadlet")
			compare("crun", "quadlet-crun")
		}
	}
	own := f[2*len(names)]
	row("runc create and runc start alone", own, fmt.Sprintf("a start costs plain + %.2f times this", float64(f[2].Median-f[0].Median)/float64(own.Median)))
	if err := benchRender(ctx, runs, call); err != nil {
		return err
	}
	for _, n := range crowds {
		if _, err := os.Stat(fmt.Sprintf("/etc/systemd/system/plain-%d.target", n)); err != nil {
			continue
		}
		if err := benchCrowd(kinds, n, call); err != nil {
			return err
		}
	}
	return nil
}

// untilItRuns starts something and waits for the payload's sign: systemctl may return before that, or later.
func untilItRuns(start func() error) func() error {
	return func() error {
		if err := os.Remove(sign); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := start(); err != nil {
			return err
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
			if _, err := os.Stat(sign); err == nil {
				return nil
			}
			if time.Now().After(end) {
				return errors.New("the payload does not say that it runs")
			}
		}
	}
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
	// Each finds what a stop leaves: nothing.
	f, err := measure(runs, 0, call("/bin/true"), call(render[0], render[1:]...), call(render[0], "--clean", "--runtime=runc", "runc"))
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
	return storedTags(dir, map[string]image.Image{"1": img})
}
