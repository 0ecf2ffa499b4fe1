package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// What machines look for in the journal, and journalctl -x explains: the texts are in
// units/system/syscontainer.catalog.
const (
	eventMissing = "95148dd7b5eb46fd99b5726a23bdd440" // an image is not in the store and is fetched
	eventStart   = "5325ca9d38da4f0b810673a9dfdd5756" // a container starts from an image
	eventFailed  = "53dafc3ab99a4e5a8a9f70f0e0a4a4fc" // a start failed
)

const priorityInfo = 6

const journalSocket = "/run/systemd/journal/socket"

// tellJournal logs a message with fields, and tells whether that was possible. The
// unit's LogExtraFields= reach it only if the journal looks at this process while it
// lives: so the fields are here too, and OBJECT_SYSTEMD_UNIT, by which root's messages
// count as a unit's (systemd.journal-fields(7)). image is the reference; "": not known.
func tellJournal(o options, priority int, event, image, message string) bool {
	if !inJournal() {
		return false
	}
	fields := []string{
		"MESSAGE=" + o.name + ": " + message,
		"PRIORITY=" + strconv.Itoa(priority),
		"MESSAGE_ID=" + event,
		"SYSLOG_IDENTIFIER=" + o.name,
		"OBJECT_SYSTEMD_UNIT=" + o.name + ".service",
		"SYSCONTAINER_NAME=" + o.name,
	}
	if image != "" {
		fields = append(fields, "SYSCONTAINER_IMAGE="+image)
	}
	if dir, err := os.Readlink(bundleOf(o.root, o.name).file(store.BundleLink)); err == nil {
		fields = append(fields, "SYSCONTAINER_DIGEST=sha256:"+filepath.Base(dir))
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, journalEntry(fields), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: journalSocket}) == nil
}

// journalEntry writes fields as the journal's native protocol wants them: what has
// several lines goes with its length, so that no line of a message becomes a field.
func journalEntry(fields []string) (entry []byte) {
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if strings.Contains(value, "\n") {
			entry = append(entry, name+"\n"...)
			entry = binary.LittleEndian.AppendUint64(entry, uint64(len(value)))
			entry = append(entry, value+"\n"...)
			continue
		}
		entry = append(entry, field+"\n"...)
	}
	return entry
}

// reportFailure is report for a start that failed.
func reportFailure(o options, err error) {
	image := ""
	if o.unit != "" {
		if c, err := readUnit(o); err == nil {
			image = c.Image
		}
	}
	if !tellJournal(o, priorityError, eventFailed, image, err.Error()) {
		report(priorityError, o.name, err)
	}
}
