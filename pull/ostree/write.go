package ostree

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	smallFile  = 1 << 20   // up to here a file is hashed before anything is written
	chunk      = 256 << 10 // larger ones are hashed and written in pieces
	writeBack  = 8 << 20   // and their write-back starts after each of these
	block      = 4096      // zeros in whole blocks are
	minHole    = 4 * block // left out from this length on
	oneBuffer  = 64 << 10
	maxSymlink = 4095
)

var (
	zeros [block]byte

	buffers      = sync.Pool{New: func() any { b := make([]byte, 0, oneBuffer); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, smallFile); return &b }}
	hashes       = sync.Pool{New: func() any { return sha256.New() }}
	headers      = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}
)

// WriteFile stores a regular file and returns its id. It reads exactly size
// bytes of content; fewer are an error. If content has a method Bytes() []byte,
// as bytes.Buffer does, that is used without a copy.
//
// A file that is stored already is not written again. An error, of content
// too, ends the transaction: only Abort is possible then.
func (t *Txn) WriteFile(meta Meta, size int64, content io.Reader) (Checksum, error) {
	if err := meta.check(); err != nil {
		return Checksum{}, t.fail(err)
	}
	if size < 0 {
		return Checksum{}, t.fail(fmt.Errorf("size %d is negative", size))
	}
	if size > smallFile {
		sum, err := t.writeLarge(meta, size, content)
		if err != nil {
			return sum, t.fail(err)
		}
		return sum, nil
	}
	var data []byte
	if whole, ok := content.(interface{ Bytes() []byte }); ok && int64(len(whole.Bytes())) >= size {
		data = whole.Bytes()[:size]
	} else {
		pool := &buffers
		if size > oneBuffer {
			pool = &largeBuffers
		}
		buffer := pool.Get().(*[]byte)
		defer pool.Put(buffer)
		data = (*buffer)[:size]
		if _, err := io.ReadFull(content, data); err != nil {
			return Checksum{}, t.fail(unexpected(err))
		}
	}
	h := newFileHash(meta)
	h.Write(data)
	o := object{h.sum(), kindFile}
	write, err := t.claim(o)
	if err != nil || !write {
		return o.sum, err
	}
	if err := t.writeSmall(o, meta, data); err != nil {
		return o.sum, t.fail(fmt.Errorf("write object %v: %w", o, err))
	}
	return o.sum, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read content: %w", err)
}

// fileHash is a pooled SHA-256 that has seen the header of a file.
type fileHash struct{ hash.Hash }

func newFileHash(meta Meta) fileHash {
	h := hashes.Get().(hash.Hash)
	h.Reset()
	b := headers.Get().(*[]byte)
	*b = appendFileHeader((*b)[:0], meta, typeFile|meta.Mode, "")
	h.Write(*b)
	headers.Put(b)
	return fileHash{h}
}

// sum ends the use of h.
func (h fileHash) sum() (c Checksum) {
	h.Sum(c[:0])
	hashes.Put(h.Hash)
	return c
}

func (t *Txn) writeSmall(o object, meta Meta, data []byte) error {
	if err := t.staged(o); err != nil {
		return err
	}
	if t.borrow(o, meta, int64(len(data))) {
		return nil
	}
	if err := t.take(int64(len(data))); err != nil {
		return err
	}
	fd, err := openAt(t.fd(), o.path(), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, meta.Mode)
	if err != nil {
		return err
	}
	if err = writeSparse(fd, data, 0, int64(len(data))); err == nil {
		err = t.settle(fd, meta)
	}
	return closeAfter(fd, err)
}

func closeAfter(fd int, err error) error {
	if closeErr := unix.Close(fd); err == nil && closeErr != unix.EINTR {
		err = closeErr
	}
	return err
}

// writeLarge hashes and writes at once, under a name of its own.
func (t *Txn) writeLarge(meta Meta, size int64, content io.Reader) (Checksum, error) {
	if err := t.take(size); err != nil {
		return Checksum{}, err
	}
	t.mu.Lock()
	t.large++
	name := "large-" + strconv.Itoa(t.large)
	t.mu.Unlock()
	fd, err := openAt(t.fd(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return Checksum{}, err
	}
	h := newFileHash(meta)
	err = copySparse(fd, h, size, content)
	o := object{h.sum(), kindFile}
	var write bool
	if err == nil {
		write, err = t.claim(o)
	}
	if err == nil && write {
		err = t.staged(o)
	}
	if err == nil && write {
		if write = !t.borrow(o, meta, size); write {
			err = t.settle(fd, meta)
		}
	}
	err = closeAfter(fd, err)
	switch {
	case err != nil:
		return o.sum, fmt.Errorf("write object: %w", err)
	case !write:
		return o.sum, unix.Unlinkat(t.fd(), name, 0)
	}
	return o.sum, unix.Renameat2(t.fd(), name, t.fd(), o.path(), unix.RENAME_NOREPLACE)
}

func copySparse(fd int, h io.Writer, size int64, content io.Reader) error {
	buffer := largeBuffers.Get().(*[]byte)
	defer largeBuffers.Put(buffer)
	for written, started := int64(0), int64(0); written < size; {
		b := (*buffer)[:min(chunk, size-written)]
		if _, err := io.ReadFull(content, b); err != nil {
			return unexpected(err)
		}
		h.Write(b)
		if err := writeSparse(fd, b, written, size); err != nil {
			return err
		}
		written += int64(len(b))
		if written-started >= writeBack || written == size {
			// Only a head start for the final syncfs; what it cannot do it need not.
			unix.SyncFileRange(fd, started, written-started, unix.SYNC_FILE_RANGE_WRITE)
			started = written
		}
	}
	return nil
}

// writeSparse writes b at an offset that is a multiple of block, and leaves
// out longer runs of blocks that are all zero. The last piece of a file of
// that size sets its length if need be.
func writeSparse(fd int, b []byte, offset, size int64) error {
	end := offset + int64(len(b))
	sought := offset == 0 // the descriptor stands at offset
	for len(b) > 0 {
		data, hole := nextHole(b)
		if data > 0 {
			if !sought {
				if _, err := unix.Seek(fd, offset, unix.SEEK_SET); err != nil {
					return err
				}
			}
			if err := writeAll(fd, b[:data]); err != nil {
				return err
			}
		}
		sought = hole == 0
		offset += int64(data + hole)
		b = b[data+hole:]
	}
	if end == size && !sought && size > 0 {
		return retry(func() error { return unix.Ftruncate(fd, size) })
	}
	return nil
}

// nextHole splits b into data and a hole behind it, of zeros only.
func nextHole(b []byte) (data, hole int) {
	for data < len(b) {
		n := 0
		for data+n < len(b) {
			piece := b[data+n : min(data+n+block, len(b))]
			if !bytes.Equal(piece, zeros[:len(piece)]) {
				break
			}
			n += len(piece)
		}
		if n >= minHole {
			return data, n
		}
		data += n
		if data < len(b) {
			data = min(data+block, len(b))
		}
	}
	return len(b), 0
}

// settle gives an inode its owner, attributes, mode and time, in the one order
// in which none undoes another: chown clears setuid bits and capabilities, and
// chmod and ACLs change each other. What the kernel does not return as it was
// set would be a corrupt object, so attributes are read back.
func (t *Txn) settle(fd int, meta Meta) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Uid != meta.UID || st.Gid != meta.GID {
		if err := unix.Fchown(fd, int(meta.UID), int(meta.GID)); err != nil {
			return fmt.Errorf("chown to %d:%d: %w", meta.UID, meta.GID, err)
		}
		st.Mode = 0
	}
	if err := setXattrs(fd, meta.Xattrs); err != nil {
		return err
	}
	if st.Mode&0o7777 != meta.Mode || len(meta.Xattrs) > 0 {
		if err := unix.Fchmod(fd, meta.Mode); err != nil {
			return fmt.Errorf("chmod to %#o: %w", meta.Mode, err)
		}
	}
	if len(meta.Xattrs) > 0 {
		if err := readBack(fd, meta); err != nil {
			return err
		}
	}
	if err := setEpoch(fd); err != nil {
		return err
	}
	if t.repo.config.fsync && t.repo.config.perObjectFsync {
		return retry(func() error { return unix.Fsync(fd) })
	}
	return nil
}

func readBack(fd int, meta Meta) error {
	if err := xattrsOf(fd).compare(meta.Xattrs); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o7777 != meta.Mode || st.Uid != meta.UID || st.Gid != meta.GID {
		return fmt.Errorf("mode %#o or owner changed with the extended attributes, the kernel returns %#o", meta.Mode, st.Mode&0o7777)
	}
	return nil
}

// WriteSymlink stores a symbolic link and returns its id. The target is 1 to
// 4095 bytes of UTF-8 without NUL and is never followed; the mode is ignored.
// An error ends the transaction.
func (t *Txn) WriteSymlink(meta Meta, target string) (Checksum, error) {
	meta.Mode = 0o777
	err := meta.check()
	if err == nil && (target == "" || len(target) > maxSymlink || !utf8.ValidString(target) || bytes.IndexByte([]byte(target), 0) >= 0) {
		err = fmt.Errorf("target %.80q of a symbolic link: must be 1 to %d bytes of UTF-8", target, maxSymlink)
	}
	if err != nil {
		return Checksum{}, t.fail(err)
	}
	o := object{SymlinkChecksum(meta, target), kindFile}
	write, err := t.claim(o)
	if err != nil || !write {
		return o.sum, err
	}
	if err := t.writeSymlink(o, meta, target); err != nil {
		return o.sum, t.fail(fmt.Errorf("write object %v: %w", o, err))
	}
	return o.sum, nil
}

func (t *Txn) writeSymlink(o object, meta Meta, target string) error {
	if err := t.take(0); err != nil {
		return err
	}
	if err := t.staged(o); err != nil {
		return err
	}
	return makeSymlink(t.fd(), o.path(), meta, target, t.uid, t.gid)
}

// makeSymlink makes a link where new inodes belong to uid:gid.
func makeSymlink(dir int, name string, meta Meta, target string, uid, gid uint32) error {
	if err := unix.Symlinkat(target, dir, name); err != nil {
		return err
	}
	if meta.UID != uid || meta.GID != gid {
		if err := unix.Fchownat(dir, name, int(meta.UID), int(meta.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("chown to %d:%d: %w", meta.UID, meta.GID, err)
		}
	}
	for xattr, value := range meta.Xattrs {
		if err := unix.Lsetxattr(procPath(dir, name), xattr, []byte(value), 0); err != nil {
			return fmt.Errorf("set extended attribute %q (%d bytes): %w", xattr, len(value), err)
		}
	}
	if len(meta.Xattrs) > 0 {
		return xattrsAt(dir, name).compare(meta.Xattrs)
	}
	return nil
}
