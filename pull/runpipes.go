package main

import (
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// pipes are the payload's streams in the foreground. They are never the caller's own
// descriptors: runtimes give what a payload inherits to its user, and a payload that is
// root could open a file of the caller again, for writing.
type pipes struct {
	payload [3]*os.File // nil: handed over
	own     [3]*os.File
	said    sync.WaitGroup
}

func newPipes() (*pipes, error) {
	p := new(pipes)
	for i := range p.payload {
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			return nil, err
		}
		if p.payload[i], p.own[i] = w, r; i == 0 {
			p.payload[i], p.own[i] = r, w
		}
	}
	// A reader that went away is the payload's to notice.
	signal.Ignore(syscall.SIGPIPE)
	return p, nil
}

func (p *pipes) give(to *net.UnixConn) error {
	if p.payload[0] == nil {
		return errTwice
	}
	var fds []int
	for _, f := range p.payload {
		fds = append(fds, int(f.Fd()))
		unix.SetNonblock(int(f.Fd()), false) // Go's own pipes are; programs do not expect it
	}
	_, _, err := to.WriteMsgUnix([]byte(store.CallerReady), unix.UnixRights(fds...), nil)
	p.closePayload()
	return err
}

func (p *pipes) closePayload() {
	for i, f := range p.payload {
		if f != nil {
			f.Close()
		}
		p.payload[i] = nil
	}
}

func (p *pipes) begin() error {
	go func() {
		io.Copy(p.own[0], foreground{os.Stdin})
		p.own[0].Close()
	}()
	for i, to := range []*os.File{1: os.Stdout, 2: os.Stderr} {
		if to != nil {
			p.said.Go(func() {
				io.Copy(to, p.own[i])
				p.own[i].Close()
			})
		}
	}
	return nil
}

// finish returns when everything is written: all of the payload's processes have ended,
// and with them the pipes.
func (p *pipes) finish() {
	p.closePayload()
	p.said.Wait()
}

func (p *pipes) close() {
	p.closePayload()
	for _, f := range p.own {
		if f != nil {
			f.Close()
		}
	}
}

// foreground reads a terminal only while this program may: in the background of a shell
// the attempt would stop it, though the payload may want no input at all.
type foreground struct{ file *os.File }

func (f foreground) Read(b []byte) (int, error) {
	fd := int(f.file.Fd())
	for {
		group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		if err != nil { // no terminal, or not this program's
			return f.file.Read(b)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200)
		if n > 0 && group == unix.Getpgrp() {
			return f.file.Read(b)
		}
		if n > 0 || err != nil {
			time.Sleep(200 * time.Millisecond) // what is there is another program's to read
		}
	}
}
