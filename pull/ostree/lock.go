package ostree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy says that somebody else holds the repository's lock.
var ErrBusy error = errors.New("the repository is in use")

// lock takes libostree's lock: an open-file-description record lock on the
// whole of repo/.lock, shared or exclusive. It waits as long as
// core.lock-timeout-secs says. Closing the result releases it.
//
// The kernel admits new shared holders while an exclusive one waits.
func (r *Repo) lock(ctx context.Context, exclusive bool) (*os.File, error) {
	return r.lockFor(ctx, exclusive, r.config.lockTimeout)
}

// lockFor waits that long at most; less than 0 is for ever. When that is over
// the error is ErrBusy.
func (r *Repo) lockFor(ctx context.Context, exclusive bool, timeout time.Duration) (*os.File, error) {
	fd, err := openAt(r.fd(), ".lock", unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o660)
	if err == unix.EROFS && !exclusive {
		// Somebody may still prune it through another mount.
		if fd, err = openAt(r.fd(), ".lock", unix.O_RDONLY|unix.O_NOFOLLOW, 0); err == unix.ENOENT {
			return openDir(r.fd(), ".", 0) // but not with a lock
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock repository: open .lock: %w", err)
	}
	f := os.NewFile(uintptr(fd), ".lock")
	flock := unix.Flock_t{Type: unix.F_RDLCK, Whence: unix.SEEK_SET}
	if exclusive {
		flock.Type = unix.F_WRLCK
	}
	deadline := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &flock)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock repository: %w", err)
		}
		if timeout >= 0 && !time.Now().Before(deadline) {
			f.Close()
			if timeout > 0 {
				return nil, fmt.Errorf("lock repository: %w, also after %v", ErrBusy, timeout)
			}
			return nil, fmt.Errorf("lock repository: %w", ErrBusy)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock repository: %w", context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
