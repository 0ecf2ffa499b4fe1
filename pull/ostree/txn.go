package ostree

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Txn writes objects beside the repository and publishes them at once. The
// Write methods may be called concurrently; Publish and Abort only after they
// have returned.
type Txn struct {
	repo     *Repo
	lock     *os.File // shared
	root     *os.Root // the repository, for removing the staging directory
	dir      *os.File // tmp/NAME, an flock marks it as alive
	name     string
	uid, gid uint32    // owner of what is created in dir
	present  [256]bool // objects/XX was there at the beginning
	prefixes [256]prefix

	mu    sync.Mutex
	known map[object]bool // written here (true) or found in the repository (false)
	// objects that are to be written again though they are there; see Replace
	mistrust bool
	replaced map[object]bool
	borrowed struct { // see OpenOptions.Borrow
		objects int
		bytes   int64
	}
	large  int   // number of the last large file
	free   int64 // bytes that may still be written
	dirty  int64 // bytes written since the last early write-back
	early  bool  // an early write-back is under way
	err    error // the first failed write: nothing can be published
	closed bool

	background sync.WaitGroup // early write-backs
	stop       chan struct{}  // ends keepAlive
	stopped    sync.Once
}

// prefix is a directory of staged file objects, named as in objects/. Where
// objects/XX is missing it is renamed as a whole.
type prefix struct {
	once  sync.Once
	err   error
	files []Checksum // guarded by Txn.mu
}

const (
	txnPrefix = "txn-"
	metaDir   = "meta" // staged metadata objects

	earlyWriteBack = 64 << 20
)

// Begin starts a transaction. It waits for a running prune, at most as long
// as core.lock-timeout-secs says, and removes what dead transactions left.
// End it with Publish or Abort.
func (r *Repo) Begin(ctx context.Context) (*Txn, error) {
	t := &Txn{repo: r, known: map[object]bool{}, stop: make(chan struct{})}
	var err error
	if t.lock, err = r.lock(ctx, false); err != nil {
		return nil, err
	}
	if err := t.begin(); err != nil {
		t.Abort()
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	t.background.Go(t.keepAlive)
	return t, nil
}

func (t *Txn) begin() (err error) {
	if t.root, err = os.OpenRoot(procPath(t.repo.fd(), ".")); err != nil {
		return err
	}
	if err := t.root.Mkdir("tmp", 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := removeDead(t.root); err != nil {
		return err
	}
	if err := t.stage(); err != nil {
		return err
	}
	if err := t.reserve(); err != nil {
		return err
	}
	entries, err := readNames(t.repo.fd(), "objects")
	if err != nil {
		return err
	}
	for _, name := range entries {
		if p, ok := hexByte(name); ok {
			t.present[p] = true
		}
	}
	return nil
}

// stage makes the staging directory. Between its creation and its lock another
// transaction may take it for a dead one's: then a new one is made.
func (t *Txn) stage() error {
	for range 100 {
		t.name = "tmp/" + txnPrefix + rand.Text()
		if err := t.root.Mkdir(t.name, 0o700); err != nil {
			return err
		}
		dir, err := openDir(t.repo.fd(), t.name, unix.O_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
		t.dir = dir
		var ours, named unix.Stat_t
		if err := unix.Flock(t.fd(), unix.LOCK_EX|unix.LOCK_NB); err == nil &&
			unix.Fstat(t.fd(), &ours) == nil &&
			unix.Fstatat(t.repo.fd(), t.name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil && ours.Ino == named.Ino {
			t.uid, t.gid = ours.Uid, ours.Gid
			// Whatever a directory above hands down to new files would become part of objects.
			if err := unix.Fremovexattr(t.fd(), "system.posix_acl_default"); err != nil && err != unix.ENODATA && err != unix.ENOTSUP {
				return err
			}
			return unix.Mkdirat(t.fd(), metaDir, 0o700)
		}
		dir.Close()
		t.dir = nil
	}
	return errors.New("staging directories vanish as fast as they are made")
}

// removeDead removes the staging directories of dead transactions: those that can
// be locked.
func removeDead(root *os.Root) error {
	tmp, err := root.Open("tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	names, err := tmp.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, txnPrefix) {
			continue
		}
		dir, err := openDir(int(tmp.Fd()), name, unix.O_NOFOLLOW)
		if err != nil {
			continue // removed meanwhile, or nothing of ours
		}
		if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = root.RemoveAll("tmp/" + name)
		}
		dir.Close()
		if err != nil {
			return fmt.Errorf("remove what a dead transaction left: %w", err)
		}
	}
	return nil
}

// reserve finds out how much may be written: core.min-free-space-*.
func (t *Txn) reserve() error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(t.fd(), &st); err != nil {
		return err
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree
	}
	keep := max(st.Blocks/100*t.repo.config.minFreePercent, t.repo.config.minFreeBytes/uint64(st.Bsize))
	t.free = int64(free-min(free, keep)) * st.Bsize
	return nil
}

// take accounts for a file before it is written, and now and then has what was
// written so far made durable in the background, so that little is left to
// wait for in the end.
func (t *Txn) take(size int64) error {
	size = (size + 4095) &^ 4095
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free < size {
		return fmt.Errorf("%d bytes are needed, and only %d are left of what core.min-free-space-* allows: %w", size, t.free, unix.ENOSPC)
	}
	t.free -= size
	if t.dirty += size; t.dirty >= earlyWriteBack && !t.early && t.repo.config.fsync {
		t.dirty, t.early = 0, true
		t.background.Go(func() {
			err := t.sync() // an error is told once only
			t.mu.Lock()
			defer t.mu.Unlock()
			t.early = false
			if t.err == nil {
				t.err = err
			}
		})
	}
	return nil
}

func (t *Txn) fd() int { return int(t.dir.Fd()) }

// claim asks whether an object has to be written, by the caller. If another
// goroutine is about to write it, it need not: should that fail, nothing can
// be published anyway.
func (t *Txn) claim(o object) (write bool, err error) {
	t.mu.Lock()
	if t.err != nil || t.closed {
		defer t.mu.Unlock()
		if t.err != nil {
			return false, fmt.Errorf("an earlier write failed: %w", t.err)
		}
		return false, errors.New("the transaction has ended")
	}
	if _, known := t.known[o]; known {
		t.mu.Unlock()
		return false, nil
	}
	t.known[o] = true
	t.mu.Unlock()
	if t.present[o.sum[0]] {
		switch found, err := t.has(o); {
		case err != nil:
			return false, t.fail(err)
		case found:
			t.mu.Lock()
			t.known[o] = false
			t.mu.Unlock()
			return false, nil
		}
	}
	return true, nil
}

// fail remembers the first error of a claimed object.
func (t *Txn) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	return err
}

// staged records a file object and makes its directory.
func (t *Txn) staged(o object) error {
	p := &t.prefixes[o.sum[0]]
	p.once.Do(func() {
		name := o.path()[:2]
		if p.err = unix.Mkdirat(t.fd(), name, 0o755); p.err == nil {
			p.err = unix.Fchmodat(t.fd(), name, 0o755, 0) // whatever the umask
		}
	})
	if p.err != nil {
		return p.err
	}
	t.mu.Lock()
	p.files = append(p.files, o.sum)
	t.mu.Unlock()
	return nil
}

// Abort ends a transaction and removes what it staged. After Publish it does
// nothing.
func (t *Txn) Abort() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.end()
	if t.dir != nil {
		t.root.RemoveAll(t.name) // the next Begin tries again
		t.dir.Close()
		t.dir = nil
	}
	if t.root != nil {
		t.root.Close()
		t.root = nil
	}
	if t.lock != nil {
		t.lock.Close()
		t.lock = nil
	}
}

// keepAlive sets the time of the staging directory now and then: libostree
// removes from tmp/ what is older than core.tmp-expiry-secs.
func (t *Txn) keepAlive() {
	ticker := time.NewTicker(t.repo.config.refresh())
	defer ticker.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-ticker.C:
			now := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}
			unix.UtimesNanoAt(t.fd(), "", now, unix.AT_EMPTY_PATH)
		}
	}
}

// end waits for all that runs in the background.
func (t *Txn) end() {
	t.stopped.Do(func() { close(t.stop) })
	t.background.Wait()
}

func readNames(dir int, name string) ([]string, error) {
	d, err := openDir(dir, name, unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// hexByte reads the name of a directory in objects/.
func hexByte(name string) (byte, bool) {
	if len(name) != 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte("0123456789abcdef", name[0]), strings.IndexByte("0123456789abcdef", name[1])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}
