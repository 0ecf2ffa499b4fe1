package generation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Outcome is what became of a generation.
type Outcome string

const (
	Pending     Outcome = "pending"     // it is being tried
	Good        Outcome = "good"        // it came up healthy
	Failed      Outcome = "failed"      // it did not, or a person went back from it; never tried again unasked
	Unjudged    Outcome = "unjudged"    // nobody has looked: the container did not run, or was not restarted
	Interrupted Outcome = "interrupted" // it was taken back before it was judged, by no fault of its own
)

// By is who made a generation.
type By string

const (
	ByUpdate   By = "update"   // a person's update
	ByAuto     By = "auto"     // an unattended one
	ByRollback By = "rollback" // a person went back
	ByBoot     By = "boot"     // a boot did
	ByStart    By = "start"    // it is what the container ran before its first update, or what an admin's edit had it run
)

// Record is one generation of a container.
type Record struct {
	Number    int       `json:"generation"` // from 1
	Digest    string    `json:"digest"`     // of the image's manifest, 64 hex digits
	Reference string    `json:"reference"`  // canonical, what it was fetched as
	For       string    `json:"for"`        // canonical, Image= of the unit it was made for
	Time      time.Time `json:"time"`       // when it was made
	By        By        `json:"by"`
	Outcome   Outcome   `json:"outcome"`
	Reason    string    `json:"reason,omitempty"` // of the outcome, for people
	Judged    time.Time `json:"judged,omitzero"`
	Update    string    `json:"update,omitempty"` // ID of the update that made it

	// Kept says that the generation keeps its image: there is a link to it. Retention takes the link away and leaves the
	// record.
	Kept bool `json:"-"`
}

const (
	// maxNumber is the last generation: one a second for thirty years.
	maxNumber = 999_999_999
	// maxRecord is the largest record that is read, in bytes.
	maxRecord = 1 << 20
)

// parseNumber reads the name of a generation: no sign, no leading zero, no more than maxNumber.
func parseNumber(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0 && n <= maxNumber && strconv.Itoa(n) == s
}

// readJSON reads a record into v. It follows no link at its end, and reads no more than a record may have.
func readJSON(file string, v any) error {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return fmt.Errorf("read %s: it is a link, a record is a file", file)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("read %s: it is no file", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("read %s: it is larger than 1 MiB", file)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}

// readRecord reads generation n of a container and checks what others rely on.
func readRecord(dir string, n int) (r Record, err error) {
	file := recordPath(dir, n)
	if err := readJSON(file, &r); err != nil {
		return r, err
	}
	switch {
	case r.Number != n:
		err = fmt.Errorf("it is of generation %d", r.Number)
	case !isDigest(r.Digest):
		err = fmt.Errorf("%q is no digest", r.Digest)
	case r.Outcome == "":
		err = errors.New("it has no outcome")
	}
	if err != nil {
		return r, fmt.Errorf("read %s: %w", file, err)
	}
	digest, err := readLink(linkPath(dir, n), "../../../images/")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return r, err
	case digest != r.Digest:
		return r, fmt.Errorf("%s leads to image %s, but its record is of %s", linkPath(dir, n), digest, r.Digest)
	}
	r.Kept = true
	return r, nil
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// readLink reads a link whose text begins with a prefix and returns the rest.
func readLink(link, prefix string) (string, error) {
	target, err := os.Readlink(link)
	if errors.Is(err, unix.EINVAL) {
		return "", fmt.Errorf("%s: it is no symbolic link", link)
	}
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(target, prefix)
	if !ok || rest == "" || strings.Contains(rest, "/") {
		return "", fmt.Errorf("%s: leads to %q, want %s…", link, target, prefix)
	}
	return rest, nil
}
