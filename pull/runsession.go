package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/coreos/go-systemd/v22/dbus"

	"syscontainer/pull/store"
)

// session is a service of run, as long as this program looks after it.
type session struct {
	*runOptions
	home  home
	conn  *dbus.Conn
	job   chan string // how the start went: "done" or another result of a job
	calls *net.UnixListener
	told  chan any // attached, started, failed or store.End: what render says
	front front    // nil: none, with -d
}

type (
	attached struct{}
	started  struct{}
	failed   string
)

// front is what a person has of a container in the foreground.
type front interface {
	give(to *net.UnixConn) error // answers store.CallerAttach
	begin() error                // when the payload has got it
	finish()                     // waits for what the payload still had to say; it has ended
	close()                      // leaves everything as it was before; also in the middle
}

// listen makes the directory with the sockets. Only root gets in.
func (s *session) listen() (err error) {
	if err := os.Mkdir(string(s.home), 0o700); err != nil {
		return err
	}
	if s.calls, err = listen(s.home.file(store.CallerSocket), "unixpacket"); err != nil {
		return err
	}
	switch {
	case s.tty:
		s.front, err = newTerminal(s.home.file(store.ConsoleSocket))
	case !s.detach:
		s.front, err = newPipes()
	}
	if err != nil {
		return err
	}
	s.told = make(chan any, 16)
	go s.answer()
	return nil
}

func listen(file, network string) (*net.UnixListener, error) {
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: file, Net: network})
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", filepath.Base(file), err)
	}
	return l, nil
}

// answer hears what render says, until close.
func (s *session) answer() {
	for {
		conn, err := s.calls.AcceptUnix()
		if err != nil {
			return
		}
		if event := s.hear(conn); event != nil {
			s.told <- event
		}
		conn.Close()
	}
}

func (s *session) hear(conn *net.UnixConn) any {
	message := make([]byte, store.LongestCallerMessage)
	n, err := conn.Read(message)
	if err != nil {
		return nil // another run asks whether somebody listens
	}
	switch text := string(message[:n]); text {
	case store.CallerAttach:
	case store.CallerStarted:
		return started{}
	default:
		failure, end, err := store.ReadCallerMessage(text)
		switch {
		case err != nil:
			return nil
		case failure != "":
			return failed(failure)
		}
		return end
	}
	if s.front == nil {
		return nil
	}
	if err := s.front.give(conn); err != nil {
		return failed("hand over the streams: " + err.Error())
	}
	return attached{}
}

// close leaves nothing behind but the service, if it still runs.
func (s *session) close() {
	if s.front != nil {
		s.front.close()
	}
	if s.calls != nil {
		s.calls.Close()
	}
	s.conn.Close()
	os.RemoveAll(string(s.home))
}

var errTwice = errors.New("they were handed over already")
