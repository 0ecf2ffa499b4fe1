package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// Unit files are read, written and removed below a root out of which no link leads.

// readUnitFile reads one that is a regular file, not a link.
func readUnitFile(root, file string) (text string, mode os.FileMode, err error) {
	m := openMachine(root)
	defer m.close()
	dir, err := m.open(path.Dir(file), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return "", 0, err
	}
	defer unix.Close(dir)
	f, err := os.OpenFile(fdPath(dir)+"/"+path.Base(file), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return "", 0, errors.New("it is a link")
	}
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("it is no file")
	}
	data, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	if err == nil && len(data) > longestFile {
		err = errors.New("it is larger than 16 MiB")
	}
	return string(data), info.Mode().Perm(), err
}

// writeUnitFile makes or replaces one, whole or not at all, and durably; directories are made as they are needed.
func writeUnitFile(root, file, text string, mode os.FileMode) error {
	m := openMachine(root)
	defer m.close()
	dir, err := m.makeDirectories(path.Dir(file))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	lock, err := os.Open(fdPath(dir))
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path.Dir(file), err)
	}
	// One name for all: what a kill left, the next one replaces.
	temporary := fdPath(dir) + "/" + temporaryUnit(file)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, fdPath(dir)+"/"+path.Base(file)); err != nil {
		return err
	}
	return syncPath(fdPath(dir))
}

// temporaryUnit is the name of a file that becomes a unit; nobody takes it for one.
func temporaryUnit(file string) string { return "." + path.Base(file) + ".new" }

// removeUnitFile removes one, or a link, durably.
func removeUnitFile(root, file string) error {
	m := openMachine(root)
	defer m.close()
	dir, err := m.open(path.Dir(file), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("remove %s: %w", file, err)
	}
	defer unix.Close(dir)
	unix.Unlinkat(dir, temporaryUnit(file), 0) // of an installation that was killed
	if err := unix.Unlinkat(dir, path.Base(file), 0); err != nil {
		return fmt.Errorf("remove %s: %w", file, err)
	}
	return syncPath(fdPath(dir))
}

func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDirectories opens a directory below the root, and makes it and those above it if need be.
func (m *machine) makeDirectories(name string) (fd int, err error) {
	if fd, err = m.open(name, unix.O_PATH|unix.O_DIRECTORY); err != unix.ENOENT || name == "/" {
		return fd, err
	}
	above, err := m.makeDirectories(path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(above)
	if err := unix.Mkdirat(above, path.Base(name), 0o755); err != nil && err != unix.EEXIST {
		return -1, fmt.Errorf("make %s: %w", name, err)
	}
	if err := syncPath(fdPath(above)); err != nil {
		return -1, err
	}
	return m.open(name, unix.O_PATH|unix.O_DIRECTORY)
}

// systemdRuns tells whether units below root are those of a systemd that runs (sd_booted(3)).
func systemdRuns(root string) bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil && filepath.Clean("/"+root) == "/"
}

// reloadSystemd lets systemd read what was written.
func reloadSystemd(root string) error {
	if !systemdRuns(root) {
		return nil
	}
	return withSystemdFor(reloadTime, func(ctx context.Context, conn *dbus.Conn) error {
		if err := conn.ReloadContext(ctx); err != nil {
			return fmt.Errorf("let systemd read the units anew: %w\nhint: systemctl daemon-reload", err)
		}
		return nil
	})
}

// reloadTime is as long as systemd itself waits for generators, and a bit.
const reloadTime = 100 * time.Second

// stopTime bounds a stop: systemd's own timeouts end it long before.
const stopTime = 15 * time.Minute

// stopService stops a service and waits for that; of a template, all instances. What systemd does not know is no error.
func stopService(name string) error {
	return withSystemdFor(stopTime, func(ctx context.Context, conn *dbus.Conn) error {
		names := []string{name + ".service"}
		if strings.HasSuffix(name, "@") {
			names = nil
			running, err := conn.ListUnitsByPatternsContext(ctx, nil, []string{strings.ReplaceAll(name, `\`, `\\`) + "*.service"})
			if err != nil {
				return err
			}
			for _, u := range running {
				names = append(names, u.Name)
			}
		}
		for _, service := range names {
			done := make(chan string, 1)
			_, err := conn.StopUnitContext(ctx, service, "replace", done)
			if err != nil && strings.Contains(err.Error(), "not loaded") { // org.freedesktop.systemd1.NoSuchUnit
				continue
			}
			if err != nil {
				return fmt.Errorf("stop %s: %w", service, err)
			}
			select {
			case result := <-done:
				if result != "done" {
					return fmt.Errorf("stop %s: systemd says: %s\nhint: systemctl status %s", service, result, service)
				}
			case <-ctx.Done():
				return fmt.Errorf("stop %s: %w", service, ctx.Err())
			}
		}
		return nil
	})
}

func withSystemdFor(limit time.Duration, do func(ctx context.Context, conn *dbus.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("ask systemd: %w", err)
	}
	defer conn.Close()
	return do(ctx, conn)
}
