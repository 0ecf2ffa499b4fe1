package main

import (
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"syscontainer/units"
)

// plan is what is to be written, all of it below one directory.
type plan struct {
	files []file
	links []link
}

// file is a unit file.
type file struct {
	name    string
	text    string
	private bool // not readable for everybody
}

// link is a symbolic link, in the directory itself or one below it.
type link struct{ name, target string }

// String shows the plan to people.
func (p *plan) String() string {
	var b strings.Builder
	for _, f := range p.files {
		b.WriteString("---" + f.name + "---\n" + f.text + "\n")
	}
	for _, l := range p.links {
		b.WriteString(l.name + " -> " + l.target + "\n")
	}
	return b.String()
}

// write makes files and links; what cannot be written is reported, the rest is.
// Each appears whole or not at all. No fsync: the directory is a tmpfs, and nobody
// needs it after a crash.
func (p *plan) write(dir string, log *logger) {
	// Not made of a unit's name: that may be as long as a file's name can be.
	temporary := path.Join(dir, ".syscontainer-"+strconv.Itoa(os.Getpid()))
	failed := func(name string, err error) {
		if err != nil {
			syscall.Unlink(temporary)
			log.errors(&units.Problem{File: path.Join(dir, name), Msg: "cannot be written: " + err.Error()})
		}
	}
	for _, f := range p.files {
		mode := uint32(0o644)
		if f.private {
			mode = 0o600
		}
		err := writeFile(temporary, f.text, mode)
		if err == nil {
			err = syscall.Rename(temporary, path.Join(dir, f.name))
		}
		failed(f.name, err)
	}
	for _, l := range p.links {
		full := path.Join(dir, l.name)
		err := syscall.Symlink(l.target, full)
		if err == syscall.ENOENT {
			if err = syscall.Mkdir(path.Dir(full), 0o755); err == nil || err == syscall.EEXIST {
				err = syscall.Symlink(l.target, full)
			}
		}
		if err == syscall.EEXIST { // a second run into the same directory
			if err = syscall.Symlink(l.target, temporary); err == nil {
				err = syscall.Rename(temporary, full)
			}
		}
		failed(l.name, err)
	}
}

func writeFile(name, text string, mode uint32) error {
	fd, err := syscall.Open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	for data := []byte(text); len(data) > 0; {
		n, err := syscall.Write(fd, data)
		if err != nil && err != syscall.EINTR {
			syscall.Close(fd)
			return err
		}
		data = data[max(n, 0):]
	}
	return syscall.Close(fd)
}
