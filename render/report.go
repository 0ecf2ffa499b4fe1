package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Priorities of syslog(3), as sd-daemon(3) wants them before a line.
const (
	priorityError   = 3
	priorityWarning = 4
	priorityNotice  = 5
	priorityDebug   = 7
)

// exitStatus is an error that wants its own exit status. Without an error in it, there
// is nothing to say: the payload has spoken for itself.
type exitStatus struct {
	error
	code int
}

func (e exitStatus) Unwrap() error { return e.error }

// withHint adds a line that says what to do.
func withHint(err error, format string, args ...any) error {
	return fmt.Errorf("%w\nhint: "+format, append([]any{err}, args...)...)
}

func withHintIf(err error, when bool, format string, args ...any) error {
	if !when {
		return err
	}
	return withHint(err, format, args...)
}

// report says on stderr what happened to a service, line by line: in the journal
// with a priority, elsewhere with the program's name.
func report(priority int, name string, err error) {
	prefix := "render: "
	if inJournal() {
		prefix = fmt.Sprintf("<%d>", priority)
	}
	var b strings.Builder
	for i, line := range strings.Split(err.Error(), "\n") {
		b.WriteString(prefix)
		if i == 0 {
			b.WriteString(name + ": ")
		}
		b.WriteString(line + "\n")
	}
	os.Stderr.WriteString(b.String()) // one write: nobody's line gets between
}

func warn(name, format string, args ...any) {
	report(priorityWarning, name, fmt.Errorf("warning: "+format, args...))
}

// inJournal tells whether stderr is the stream that systemd connected
// ($JOURNAL_STREAM, systemd.exec(5)).
func inJournal() bool {
	var st unix.Stat_t
	stream := os.Getenv("JOURNAL_STREAM")
	return stream != "" && unix.Fstat(2, &st) == nil && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// cause is an error without the paths and names its message repeats.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
