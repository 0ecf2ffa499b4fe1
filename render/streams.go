package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// streams are what the runtime lets the payload inherit.
type streams struct {
	in, out, err *os.File   // in is nil: no input
	files        []*os.File // from firstDescriptor on
}

// largestInput bounds the copy of a file that is the service's standard input.
const largestInput = 16 << 20

// unitStreams are the service's own: /dev/null and the journal, unless StandardInput= and
// the like say otherwise.
//
// Of a file, the payload gets a copy in memory. Runtimes give what a payload inherits to
// its user, which would change the owner of the machine's file, and a payload that is root
// could open it again for writing.
func unitStreams() (s streams, err error) {
	s = streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	var st unix.Stat_t
	if unix.Fstat(0, &st) != nil {
		s.in = nil
		return s, nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		if s.in, err = copyOf(os.Stdin, st.Size); err != nil {
			return s, fmt.Errorf("standard input: %w", err)
		}
	}
	return s, nil
}

func copyOf(file *os.File, size int64) (*os.File, error) {
	if size > largestInput {
		return nil, withHint(fmt.Errorf("the file is larger than %d MiB", largestInput>>20), "show it to the payload with Volume=")
	}
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	memory := os.NewFile(uintptr(fd), "stdin")
	if _, err = io.Copy(memory, io.LimitReader(file, largestInput)); err == nil {
		_, err = memory.Seek(0, io.SeekStart)
	}
	return memory, err
}
