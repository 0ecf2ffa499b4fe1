// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

const (
	ended = here + "/ended" // made anew by a payload that ends

	// What a release does: until it is stopped, or not.
	serves = "#!/bin/sh\ntrap ': >" + ended + "; exit 0' TERM\n: >" + sign + "\nsleep 1000 &\nwait\n"
	dies   = "#!/bin/sh\nsleep 0.1\n: >" + ended + "\nexit 1\n"

	updated = "[Container]\nImage=127.0.0.1:5000/bench:one\nVolume=" + here + ":" + here + "\n[Update]\nHealthySec=1\n"

	// What an update and a rollback may cost beside a stop and a start.
	updateMayTake, rollbackMayTake = 200 * time.Millisecond, 100 * time.Millisecond
)

// benchUpdate takes a container from one release to another and back, on a host of its own.
func benchUpdate(ctx context.Context, runs int) error {
	dir, done, err := tempDir()
	if err != nil {
		return err
	}
	defer done()
	busybox, err := image.Busybox(host.Part("busybox"))
	if err != nil {
		return err
	}
	images := map[string]image.Image{}
	for tag, does := range map[string]string{"one": serves, "two": serves + "# two\n", "bad": dies} {
		images[tag] = image.Image{Layers: []image.Layer{{Entries: busybox}, {Entries: []image.Entry{image.File("app", 0o755, does)}}},
			Config: image.Config{Env: []string{"PATH=/bin"}, Entrypoint: []string{"/app"}}}
	}
	storage, err := storedTags(dir, images)
	if err != nil {
		return err
	}
	fmt.Println("update and rollback of a service, images present, on " + throwAway.name)
	return throwAway.run(ctx, "update", runs, storage, map[string]string{"/etc/containers/systemd/app.syscontainer": updated})
}

// insideUpdate measures on the host. The payloads tell when they begin and end, so that what is measured is what their
// users see; what an update does before and after that, nobody waits for.
func insideUpdate(ctx context.Context, runs int) error {
	if err := os.Mkdir(here, 0o755); err != nil {
		return err
	}
	run := func(status int, name string, args ...string) error {
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == status) || err == nil && status != 0 {
			return fmt.Errorf("%s %v: %v, want status %d: %s", name, args, err, status, out)
		}
		return nil
	}
	call := func(name string, args ...string) func() error { return func() error { return run(0, name, args...) } }
	for _, words := range [][]string{{"syscontainer", "pull", "127.0.0.1:5000/bench:one"}, {"systemctl", "start", "app"}} {
		if err := run(0, words[0], words[1:]...); err != nil {
			return err
		}
	}
	update := func(status int, tag string) func() error {
		return func() error {
			return run(status, "syscontainer", "update", "--image", "127.0.0.1:5000/bench:"+tag, "app")
		}
	}
	// The end of the payload that was there, until the one that comes runs; or that from the call.
	things := []struct {
		name     string
		do       func() error
		fromCall bool
		may      time.Duration
	}{
		{"systemctl restart, out of service", call("systemctl", "restart", "app"), false, 0},
		{"update, out of service", update(0, "two"), false, updateMayTake},
		{"rollback, until the old one runs", call("syscontainer", "rollback", "app"), true, rollbackMayTake},
		{"update to one that dies, until back", update(3, "bad"), false, rollbackMayTake},
	}
	if err := update(0, "two")(); err != nil { // for something to go back to
		return err
	}
	if err := call("syscontainer", "rollback", "app")(); err != nil {
		return err
	}
	var stops, starts []time.Duration
	times := make([][]time.Duration, len(things))
	const pause = 250 * time.Millisecond // what one leaves to be done must not cost the next
	for range runs {
		time.Sleep(pause)
		begun := time.Now()
		if err := run(0, "systemctl", "stop", "app"); err != nil {
			return err
		}
		stops = append(stops, time.Since(begun))
		time.Sleep(pause)
		begun = time.Now()
		if err := untilItRuns(call("systemctl", "start", "app"))(); err != nil {
			return err
		}
		starts = append(starts, time.Since(begun))
		for i, thing := range things {
			time.Sleep(pause)
			begun := time.Now()
			if err := untilItRuns(thing.do)(); err != nil {
				return err
			}
			runs, err := os.Stat(sign)
			if err != nil {
				return err
			}
			if !thing.fromCall {
				end, err := os.Stat(ended)
				if err != nil {
					return err
				}
				begun = end.ModTime()
			}
			times[i] = append(times[i], runs.ModTime().Sub(begun))
		}
	}
	stop, start := figureOf(stops), figureOf(starts)
	both := figure{stop.Median + start.Median, 0}
	row("stop", stop, "")
	row("start", start, "")
	for i, thing := range things {
		f := figureOf(times[i])
		text := fmt.Sprintf("%s of stop + start", ratio(f, both))
		if thing.may > 0 {
			text += fmt.Sprintf(", %+.1f ms of %d that are allowed", ms(f.Median-both.Median), thing.may.Milliseconds())
		}
		row(thing.name, f, text)
	}
	return nil
}

// storedTags pushes images as bench:TAG and returns the registry's storage.
func storedTags(dir string, images map[string]image.Image) (string, error) {
	l, err := image.Create(filepath.Join(dir, "oci"))
	if err != nil {
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
	for tag, img := range images {
		if _, err := l.Put(tag, img); err != nil {
			return "", err
		}
		if err := r.Push("oci:"+l.Dir+":"+tag, "bench:"+tag); err != nil {
			return "", err
		}
	}
	return storage, nil
}
