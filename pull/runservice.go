package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// A service of run is a transient unit, which systemd forgets with its files when it has
// ended, whatever became of this program. Its text is a drop-in beside the file that
// systemd writes: so it may hold every key, and the section that render reads.
const (
	transientUnits = "/run/systemd/transient"
	dropinName     = "50-syscontainer.conf"
	ownUnits       = "/run/systemd/system"
)

func serviceFile(name string) string {
	return filepath.Join(transientUnits, name+".service.d", dropinName)
}

// home is the directory in which a caller listens, see store.CallerSocket.
type home string

func newHome() home { return home(filepath.Join("/run/syscontainer", store.CallerPrefix+random())) }

func (h home) file(name string) string { return filepath.Join(string(h), name) }

// begin starts the service. Nobody else does so meanwhile: what a run left that was killed
// halfway can be told from what another one is just about to use.
func (o *runOptions) begin(h home, text string) (s *session, err error) {
	if _, err := os.Stat(ownUnits); err != nil { // sd_booted(3)
		return nil, errors.New("systemd does not run on this machine")
	}
	if err := os.MkdirAll(filepath.Dir(string(h)), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(string(h)), store.CallerPrefix+"lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	sweep(filepath.Dir(string(h)))

	conn, err := dbus.NewSystemdConnectionContext(context.Background())
	if err != nil {
		return nil, fmt.Errorf("ask systemd: %w", err)
	}
	s = &session{runOptions: o, home: h, conn: conn, job: make(chan string, 1)}
	err = o.unitIsFree(conn)
	if err == nil && o.remove {
		err = o.stateIsFree()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	if err = s.listen(); err == nil {
		err = s.checkProperties(text)
	}
	if err == nil {
		err = writeDropin(serviceFile(o.name), text)
	}
	if err == nil {
		_, err = conn.StartTransientUnitContext(context.Background(), o.name+".service", "fail", nil, s.job)
	}
	if err != nil {
		removeDropin(serviceFile(o.name))
		s.close()
		return nil, err
	}
	return s, nil
}

// unitIsFree refuses the name of a unit that systemd has, or would find.
func (o *runOptions) unitIsFree(conn *dbus.Conn) error {
	properties, err := conn.GetUnitPropertiesContext(context.Background(), o.name+".service")
	if err != nil {
		return err
	}
	path, _ := properties["FragmentPath"].(string)
	state, _ := properties["ActiveState"].(string)
	switch load := properties["LoadState"]; {
	case load == "not-found":
		return nil
	case state == "failed" && filepath.Dir(path) == transientUnits:
		return fmt.Errorf("a service of this name has failed earlier\nhint: systemctl reset-failed %s", o.name)
	case state == "active" || state == "activating" || state == "deactivating":
		return fmt.Errorf("a service of this name is %s already", state)
	case path == "":
		return fmt.Errorf("there is a unit of this name already, which is %v", load)
	default:
		return fmt.Errorf("the name is that of %s", path)
	}
}

// stateIsFree keeps --rm from removing what another container of the name left.
func (o *runOptions) stateIsFree() error {
	dir := filepath.Join("/", store.Dir, "containers", o.name)
	if _, err := os.Lstat(dir); err == nil {
		if o.once {
			return fmt.Errorf("the image is to be run once, with nothing kept, and an earlier container of the name has data in %s\nhint: syscontainer uninstall --data %s", dir, o.name)
		}
		return fmt.Errorf("--rm would remove what an earlier container of the name has in %s\nhint: leave out --rm, or remove it first", dir)
	}
	return nil
}

// writeDropin makes the file, which holds what only root may know. systemd looks for new
// files below /run/systemd/transient, its own directory, only when another directory of
// units has changed: so one is touched.
func writeDropin(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	now := time.Now()
	return os.Chtimes(ownUnits, now, now)
}

func removeDropin(file string) {
	os.Remove(file)
	os.Remove(filepath.Dir(file)) // unless it holds something of somebody else's
}

// sweep removes what killed runs left: files for units that systemd was never told of, and
// directories in which nobody listens. Of a service whose caller was killed it takes
// nothing that it needs.
func sweep(below string) {
	dirs, _ := filepath.Glob(filepath.Join(transientUnits, "*.service.d"))
	for _, dir := range dirs {
		if _, err := os.Lstat(strings.TrimSuffix(dir, ".d")); errors.Is(err, os.ErrNotExist) {
			removeDropin(filepath.Join(dir, dropinName))
		}
	}
	homes, _ := filepath.Glob(filepath.Join(below, store.CallerPrefix+"????????"))
	for _, home := range homes {
		conn, err := net.Dial("unixpacket", filepath.Join(home, store.CallerSocket))
		if err == nil {
			conn.Close()
			continue
		}
		os.RemoveAll(home)
	}
}
