package ostree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock takes libostree's lock: an open-file-description record lock on the
// whole of repo/.lock, shared or exclusive. It waits as long as
// core.lock-timeout-secs says. Closing the result releases it.
//
// The kernel admits new shared holders while an exclusive one waits.
func (r *Repo) lock(ctx context.Context, exclusive bool) (*os.File, error) {
	fd, err := openAt(r.fd(), ".lock", unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o660)
	if err != nil {
		return nil, fmt.Errorf("lock repository: open .lock: %w", err)
	}
	f := os.NewFile(uintptr(fd), ".lock")
	flock := unix.Flock_t{Type: unix.F_RDLCK, Whence: unix.SEEK_SET}
	if exclusive {
		flock.Type = unix.F_WRLCK
	}
	deadline := time.Now().Add(r.config.lockTimeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &flock)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock repository: %w", err)
		}
		if r.config.lockTimeout >= 0 && time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("lock repository: held by somebody else for more than %v: %w", r.config.lockTimeout, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock repository: %w", context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
