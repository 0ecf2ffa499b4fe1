package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// terminal is the payload's, of which this program holds the other end: what is typed at
// the caller's goes there unread, and what the payload writes comes here.
type terminal struct {
	console *net.UnixListener // where the runtime sends it
	master  *os.File          // nil: not yet
	before  *unix.Termios     // settings of the caller's, nil: not changed
	resized chan os.Signal
	said    chan struct{}
}

func newTerminal(socket string) (*terminal, error) {
	console, err := listen(socket, "unix")
	return &terminal{console: console, resized: make(chan os.Signal, 1), said: make(chan struct{})}, err
}

// give takes the terminal, which the runtime has sent before render asks, and gives it the
// size of the caller's before the payload sees it.
func (t *terminal) give(to *net.UnixConn) error {
	if t.master != nil {
		return errTwice
	}
	conn, err := t.console.AcceptUnix()
	if err != nil {
		return err
	}
	defer conn.Close()
	if t.master, err = receiveTerminal(conn); err != nil {
		return err
	}
	t.resize()
	_, err = to.Write([]byte(store.CallerReady))
	return err
}

func receiveTerminal(conn *net.UnixConn) (*os.File, error) {
	name, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, space, _, _, err := conn.ReadMsgUnix(name, rights) // close-on-exec is Go's default
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:space])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("the runtime sent no terminal: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("the runtime sent no terminal: %v", err)
	}
	master := os.NewFile(uintptr(fds[0]), "terminal")
	if _, err := unix.IoctlGetInt(fds[0], unix.TIOCGPTN); err != nil { // only a master has a number
		master.Close()
		return nil, errors.New("what the runtime sent is no terminal")
	}
	return master, nil
}

func (t *terminal) resize() {
	if size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		unix.IoctlSetWinsize(int(t.master.Fd()), unix.TIOCSWINSZ, size)
	}
}

func (t *terminal) begin() error {
	before, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read the settings of the terminal: %w", err)
	}
	raw := *before // cfmakeraw(3)
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(0, unix.TCSETS, &raw); err != nil {
		return fmt.Errorf("change the settings of the terminal: %w", err)
	}
	t.before = before
	signal.Notify(t.resized, unix.SIGWINCH)
	go func() {
		for range t.resized {
			t.resize()
		}
	}()
	t.resize() // it may have changed before anybody listened
	go io.Copy(t.master, os.Stdin)
	go func() {
		io.Copy(os.Stdout, t.master) // until nobody has the terminal open: EIO
		close(t.said)
	}()
	return nil
}

func (t *terminal) finish() {
	if t.before != nil {
		<-t.said
	}
}

func (t *terminal) close() {
	if t.before != nil {
		signal.Stop(t.resized)
		unix.IoctlSetTermios(0, unix.TCSETS, t.before)
	}
	if t.console != nil {
		t.console.Close()
	}
}
