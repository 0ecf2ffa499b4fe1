// SPDX-License-Identifier: Apache-2.0

// Program try boots a host, makes it run examples/hello.syscontainer, and shows what a person at its keyboard would see.
// examples/try prepares the machine and runs it.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"syscontainer/test/host"
	"syscontainer/test/image"
)

//go:embed session.sh
var session string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := try(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "try:", err)
		os.Exit(1)
	}
}

func try(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "syscontainer-try-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	storage := filepath.Join(dir, "registry")
	if err := push(filepath.Join(dir, "oci"), storage); err != nil {
		return err
	}
	unit, err := os.ReadFile("examples/hello.syscontainer")
	if err != nil {
		return err
	}
	res, err := host.Boot(ctx, host.Options{
		Script: session,
		Binds:  map[string]string{"/srv/registry": storage},
		Files: map[string]string{
			"/root/hello.syscontainer":             string(unit),
			"/etc/registry.yml":                    image.Registry{Address: "127.0.0.1:5000", Storage: "/srv/registry"}.Config(),
			"/etc/systemd/system/registry.service": "[Service]\nExecStart=/opt/parts/docker-registry serve /etc/registry.yml\n",
			"/etc/containers/policy.json":          `{"default":[{"type":"insecureAcceptAnything"}]}` + "\n",
			"/etc/containers/registries.conf":      "[[registry]]\nlocation = \"127.0.0.1:5000\"\ninsecure = true\n",
		},
	})
	fmt.Print(res.Stdout)
	switch {
	case err != nil:
		return fmt.Errorf("%w\n%v", err, res)
	case res.Exit != 0:
		return fmt.Errorf("the session failed: %v", res)
	}
	return nil
}

// push makes the image hello:1 and leaves it in a registry's storage.
func push(layout, storage string) error {
	l, err := image.Create(layout)
	if err != nil {
		return err
	}
	img, err := image.Hello(host.Part("busybox"))
	if err != nil {
		return err
	}
	if _, err := l.Put("hello", img); err != nil {
		return err
	}
	if err := os.MkdirAll(storage, 0o755); err != nil {
		return err
	}
	registry, err := image.Serve(host.Part("docker-registry"), storage)
	if err != nil {
		return err
	}
	defer registry.Close()
	return registry.Push("oci:"+layout+":hello", "hello:1")
}
