package main

import (
	"fmt"
	"os"
	"path/filepath"

	"syscontainer/units"
)

// showCredentials finds the service's credentials (systemd.exec(5)) and what the
// payload shall see of them: systemd's own directory, which only root can read, or a
// copy for its user. "" if there are none.
func showCredentials(b bundle, c *units.Container, u user) (string, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return "", err
	}
	uid, mapped := hostID(c.UIDMap, u.UID)
	if !mapped {
		return "", fmt.Errorf("show the credentials: user %d is not in UIDMap=", u.UID)
	}
	if uid == 0 {
		return dir, nil
	}
	// /run is memory, as the credentials are.
	to := b.file("credentials")
	if err := os.Mkdir(to, 0o700); err != nil {
		return "", err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := readHostFile(filepath.Join(dir, e.Name()), 16<<20)
		if err != nil {
			return "", fmt.Errorf("copy a credential: %w", err)
		}
		name := filepath.Join(to, e.Name())
		if err := os.WriteFile(name, data, 0o400); err != nil {
			return "", err
		}
		if err := os.Chown(name, int(uid), -1); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(to, 0o500); err != nil {
		return "", err
	}
	return to, os.Chown(to, int(uid), -1)
}
