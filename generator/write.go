package main

import (
	"path"
	"strconv"
	"strings"
	"syscall"

	"os"
	"syscontainer/generator/convert"
	"syscontainer/units"
)

// show is the plan for people.
func show(p *convert.Plan) string {
	var b strings.Builder
	for i := range p.Services {
		if s := &p.Services[i]; s.Text != "" {
			b.WriteString("---" + s.Name + "---\n" + s.Text + "\n")
		}
	}
	for _, l := range p.Links {
		b.WriteString(l.Name + " -> " + l.Target + "\n")
	}
	return b.String()
}

// write makes files and links; what cannot be written is reported, the rest is.
// Each appears whole or not at all. No fsync: the directory is a tmpfs, and nobody
// needs it after a crash.
func write(p *convert.Plan, dir string, log *logger) {
	// Not made of a unit's name: that may be as long as a file's name can be.
	temporary := path.Join(dir, ".syscontainer-"+strconv.Itoa(os.Getpid()))
	failed := func(name string, err error) {
		if err != nil {
			syscall.Unlink(temporary)
			log.errors(&units.Problem{File: path.Join(dir, name), Msg: "cannot be written: " + err.Error()})
		}
	}
	for i := range p.Services {
		s := &p.Services[i]
		if s.Text == "" {
			continue
		}
		mode := uint32(0o644)
		if s.Private {
			mode = 0o600
		}
		err := writeFile(temporary, s.Text, mode)
		if err == nil {
			err = syscall.Rename(temporary, path.Join(dir, s.Name))
		}
		failed(s.Name, err)
	}
	for _, l := range p.Links {
		full := path.Join(dir, l.Name)
		err := syscall.Symlink(l.Target, full)
		if err == syscall.ENOENT {
			if err = syscall.Mkdir(path.Dir(full), 0o755); err == nil || err == syscall.EEXIST {
				err = syscall.Symlink(l.Target, full)
			}
		}
		if err == syscall.EEXIST { // a second run into the same directory
			if err = syscall.Symlink(l.Target, temporary); err == nil {
				err = syscall.Rename(temporary, full)
			}
		}
		failed(l.Name, err)
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
