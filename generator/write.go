package main

import (
	"path"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

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

// output is the directory that is written into.
type output struct {
	fd   int
	name string
	// temporary is not made of a unit's name: that may be as long as a file's can be.
	temporary string
}

// write makes files and links; what cannot be written is reported, the rest is. No
// fsync: the directory is a tmpfs, and nobody needs it after a crash.
func write(p *convert.Plan, dir string, log *logger) {
	failed := func(name string, err error) {
		if err != nil {
			log.errors(&units.Problem{File: name, Msg: "cannot be written: " + err.Error()})
		}
	}
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		failed(dir, err)
		return
	}
	defer syscall.Close(fd)
	o := output{fd, dir, ".syscontainer-" + strconv.Itoa(syscall.Getpid())}
	for i := range p.Services {
		if s := &p.Services[i]; s.Text != "" {
			failed(path.Join(dir, s.Name), o.file(s))
		}
	}
	for _, l := range p.Links {
		failed(path.Join(dir, l.Name), o.link(l))
	}
}

// file writes a service in one go. The directory is empty when systemd calls, so that
// most names are free; where another run was, or is, the file is replaced as a whole.
func (o *output) file(s *convert.Service) error {
	mode := uint32(0o644)
	if s.Private {
		mode = 0o600
	}
	err := o.create(s.Name, s.Text, mode)
	if err != syscall.EEXIST {
		return err
	}
	if err = o.create(o.temporary, s.Text, mode); err == syscall.EEXIST { // of a run that was killed, with the same number
		syscall.Unlinkat(o.fd, o.temporary)
		err = o.create(o.temporary, s.Text, mode)
	}
	if err == nil {
		err = o.rename(s.Name)
	}
	return err
}

// create leaves nothing behind if it fails.
func (o *output) create(name, text string, mode uint32) error {
	fd, err := syscall.Openat(o.fd, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	for data := unsafe.Slice(unsafe.StringData(text), len(text)); len(data) > 0 && err == nil; {
		var n int
		if n, err = syscall.Write(fd, data); err == syscall.EINTR {
			err = nil
		}
		data = data[max(n, 0):]
	}
	if closed := syscall.Close(fd); err == nil {
		err = closed
	}
	if err != nil {
		syscall.Unlinkat(o.fd, name)
	}
	return err
}

func (o *output) link(l convert.Link) error {
	err := o.symlink(l.Target, l.Name)
	if err == syscall.ENOENT {
		if err = syscall.Mkdirat(o.fd, path.Dir(l.Name), 0o755); err == nil || err == syscall.EEXIST {
			err = o.symlink(l.Target, l.Name)
		}
	}
	if err == syscall.EEXIST {
		syscall.Unlinkat(o.fd, o.temporary)
		if err = o.symlink(l.Target, o.temporary); err == nil {
			err = o.rename(l.Name)
		}
	}
	return err
}

func (o *output) rename(name string) error {
	err := syscall.Renameat(o.fd, o.temporary, o.fd, name)
	if err != nil {
		syscall.Unlinkat(o.fd, o.temporary)
	}
	return err
}

func (o *output) symlink(target, name string) error {
	to, err := syscall.BytePtrFromString(target)
	if err != nil {
		return err
	}
	at, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(to)), uintptr(o.fd), uintptr(unsafe.Pointer(at)))
	if errno != 0 {
		return errno
	}
	return nil
}
