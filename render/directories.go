package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/units"
)

// serviceDirectories are what RuntimeDirectory= and the like of [Service] make, below
// which directory, and the variable that lists them (systemd.exec(5)). systemd protects
// the configuration from the service under ProtectSystem=strict, and so do we.
var serviceDirectories = [...]struct {
	key, parent, variable string
	options               []string
}{
	{"RuntimeDirectory", "/run/", "RUNTIME_DIRECTORY", []string{"bind", "nosuid", "nodev"}},
	{"StateDirectory", "/var/lib/", "STATE_DIRECTORY", []string{"bind", "nosuid", "nodev"}},
	{"CacheDirectory", "/var/cache/", "CACHE_DIRECTORY", []string{"bind", "nosuid", "nodev"}},
	{"LogsDirectory", "/var/log/", "LOGS_DIRECTORY", []string{"bind", "nosuid", "nodev"}},
	{"ConfigurationDirectory", "/etc/", "CONFIGURATION_DIRECTORY", []string{"bind", "nosuid", "nodev", "ro"}},
}

// showDirectories does what Directories= asks: the service's directories become volumes.
// What the unit says itself of the same places and variables counts more. given are
// those that the payload's user shall own.
//
// On disk they stay root's, and a mount shows them otherwise: systemd gives the whole
// tree back to the service's user, who is root, before each of its commands.
func showDirectories(c *units.Container) (given []string, err error) {
	if !c.Directories {
		return nil, nil
	}
	var volumes []units.Volume
	var env []string
	for _, d := range serviceDirectories {
		list := os.Getenv(d.variable)
		if list == "" {
			continue
		}
		env = append(env, d.variable+"="+list)
		for _, dir := range strings.Split(list, ":") {
			if err := checkDirectory(d.parent, dir); err != nil {
				return nil, fmt.Errorf("Directories=: %s=: %s: %w", d.key, dir, err)
			}
			volumes = append(volumes, units.Volume{Source: dir, Target: dir, Options: d.options})
			if d.key != "ConfigurationDirectory" {
				given = append(given, dir)
			}
		}
	}
	c.Volumes = append(volumes, c.Volumes...)
	c.Environment = append(env, c.Environment...)
	return given, nil
}

// checkDirectory refuses links below the parent. One directory may lie in another, where
// an earlier payload could put a link to anything.
func checkDirectory(parent, dir string) error {
	below, ok := strings.CutPrefix(dir, parent)
	if !ok || below == "" {
		return errors.New("is not below " + parent)
	}
	top, err := unix.Open(parent, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(top)
	fd, err := unix.Openat2(top, below, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if err == unix.ELOOP {
		return errors.New("a link is on the way to it, which a payload may have made")
	}
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// ownedBy are maps that show what is root's as a user's of the host, what is that user's
// as root's, and all others as they are; nil where there is nothing to change.
func ownedBy(uid, gid uint32) *idMaps {
	if uid == 0 && gid == 0 {
		return nil
	}
	return &idMaps{exchanged(uid), exchanged(gid)}
}

func exchanged(id uint32) []units.IDMap {
	const all = math.MaxUint32 // the last number is no user
	if id == 0 {
		return []units.IDMap{{Size: all}}
	}
	list := []units.IDMap{{Container: 0, Host: id, Size: 1}, {Container: id, Host: 0, Size: 1}}
	if id > 1 {
		list = append(list, units.IDMap{Container: 1, Host: 1, Size: id - 1})
	}
	if id+1 < all {
		list = append(list, units.IDMap{Container: id + 1, Host: id + 1, Size: all - id - 1})
	}
	return list
}
