package convert

import (
	"os"
	"path"
)

// unitDirectories are systemd's, in its order (systemd.unit(5)); a unit in any of
// them was there before ours.
var unitDirectories = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system"}

// native is a unit file that is not ours.
type native struct {
	path   string
	masked bool // with systemctl mask
}

// natives finds which of the names are taken; each directory is listed once.
func natives(root string, names map[string]bool) map[string]native {
	taken := make(map[string]native)
	for _, dir := range unitDirectories {
		if dir == "/lib/systemd/system" && isLink(root+"/lib") {
			continue // into /usr
		}
		d, err := os.Open(root + dir)
		if err != nil {
			continue
		}
		entries, _ := d.Readdirnames(-1)
		d.Close()
		for _, name := range entries {
			if _, known := taken[name]; known || !names[name] {
				continue
			}
			full := path.Join(root, dir, name)
			target, _ := os.Readlink(full)
			info, err := os.Stat(full)
			taken[name] = native{path.Join(dir, name), target == "/dev/null" || err == nil && info.Mode().IsRegular() && info.Size() == 0}
		}
	}
	return taken
}

func isLink(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// hasQuadlet tells whether podman makes services of its own files on this machine.
func hasQuadlet(root string) bool {
	for _, dir := range []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"} {
		if _, err := os.Stat(root + dir + "/system-generators/podman-system-generator"); err == nil {
			return true
		}
	}
	return false
}
