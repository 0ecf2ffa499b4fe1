package ostree

import "golang.org/x/sys/unix"

// borrow adds a repository whose files are linked instead of written, if it
// can be used at all.
func (r *Repo) borrow(path string) {
	lender, err := Open(path)
	if err != nil {
		return
	}
	var ours, theirs unix.Stat_t
	if unix.Fstat(int(r.objects.Fd()), &ours) == nil && unix.Fstat(int(lender.objects.Fd()), &theirs) == nil &&
		ours.Dev == theirs.Dev && ours.Ino != theirs.Ino {
		r.lenders = append(r.lenders, lender)
		return
	}
	lender.Close()
}

// borrow links a regular file that another repository has into the staging
// directory. It has the right name there; that it also has the right size, mode
// and owner is cheap to see, the rest is for Verify. A file that is to replace a
// damaged one is not borrowed: it could be the same inode.
func (t *Txn) borrow(o object, meta Meta, size int64) bool {
	if len(t.repo.lenders) == 0 || t.isReplaced(o) {
		return false
	}
	path := o.path()
	for _, lender := range t.repo.lenders {
		objects := int(lender.objects.Fd())
		var st unix.Stat_t
		if unix.Fstatat(objects, path, &st, unix.AT_SYMLINK_NOFOLLOW) != nil ||
			st.Mode != typeFile|meta.Mode || st.Uid != meta.UID || st.Gid != meta.GID || st.Size != size {
			continue
		}
		if unix.Linkat(objects, path, t.fd(), path, 0) != nil {
			continue // among others EMLINK, and EXDEV between mounts of one file system
		}
		t.mu.Lock()
		t.borrowed.objects++
		t.borrowed.bytes += size
		t.mu.Unlock()
		return true
	}
	return false
}

// Borrowed tells how many files were linked from other repositories so far
// instead of written, and their size.
func (t *Txn) Borrowed() (objects int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.borrowed.objects, t.borrowed.bytes
}
