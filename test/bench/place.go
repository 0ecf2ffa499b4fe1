// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"syscontainer/test/host"
	"syscontainer/test/image"
	"syscontainer/test/vm"
)

// place is a systemd host that boots, runs a script, and is thrown away.
type place struct {
	name   string
	crun   func() bool // crun can run there
	crowds []int       // how many containers start by one target
	boot   func(ctx context.Context, script string, trees, files map[string]string) (host.Result, error)
}

const longest = 20 * time.Minute // a place's life

var throwAway = place{
	name:   "a host of its own",
	crun:   func() bool { return host.CrunWorks("") },
	crowds: crowds,
	boot:   bootRoot(func(context.Context) (string, error) { return "", nil }),
}

// newer is where podman is one that brings Quadlet, and crun runs in sandboxes, too.
var newer = place{
	name:   "a host with Debian 13",
	crun:   func() bool { return true },
	crowds: crowds,
	boot: bootRoot(func(ctx context.Context) (string, error) {
		return host.Debian(ctx, "trixie", "podman")
	}),
}

func bootRoot(find func(context.Context) (string, error)) func(context.Context, string, map[string]string, map[string]string) (host.Result, error) {
	return func(ctx context.Context, script string, trees, files map[string]string) (host.Result, error) {
		root, err := find(ctx)
		if err != nil {
			return host.Result{}, err
		}
		return host.Boot(ctx, host.Options{Root: root, Script: script, Binds: trees, Files: files, Timeout: longest})
	}
}

var virtual = place{
	name:   "a virtual machine",
	crun:   func() bool { return true },
	crowds: crowds[:2], // fifty of Quadlet's would take minutes
	boot: func(ctx context.Context, script string, trees, files map[string]string) (host.Result, error) {
		trees["/"], trees["/opt/parts"] = host.Stage(), filepath.Dir(host.Part("docker-registry"))
		return vm.Boot(ctx, vm.Options{Script: script, Trees: trees, Files: files, Timeout: longest,
			Packages: []string{"runc", "crun", "podman", "strace", "sed"}})
	},
}

// run boots the place with the images, this program and the files of a registry, and runs one of its parts there.
func (p place) run(ctx context.Context, part string, runs int, storage string, files map[string]string) error {
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
	trees := map[string]string{"/srv/registry": storage, "/opt/bench": filepath.Dir(self)}
	if quadlet, err := findQuadlet(); err == nil {
		trees[filepath.Dir(onHostQuadlet)] = filepath.Dir(quadlet)
	}
	res, err := p.boot(ctx, fmt.Sprintf(`systemd-run --quiet --unit=registry /opt/parts/docker-registry serve /etc/registry.yml
until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.05; done
/opt/bench/%s -inside %s -runs %d
`, filepath.Base(self), part, runs), trees, all)
	fmt.Print(res.Stdout)
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("on %s: %v", p.name, res)
	}
	return err
}
