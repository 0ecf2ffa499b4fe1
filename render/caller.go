package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// dialCaller connects to the program that asked for the container.
func dialCaller(o options) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(o.caller, store.CallerSocket)}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), store.CallerSocket), nil
}

// tellCaller sends a message. That nobody listens any more is no error here: the
// service goes its way.
func tellCaller(o options, message string) error {
	if o.caller == "" {
		return nil
	}
	caller, err := dialCaller(o)
	if err != nil {
		return err
	}
	defer caller.Close()
	return unix.Sendto(int(caller.Fd()), []byte(message), unix.MSG_NOSIGNAL, nil)
}

// attach gets the streams that the payload shall have. With a terminal it gets none, and
// returns when the caller holds the terminal and has given it a size.
func attach(o options) (s streams, err error) {
	wrap := func(err error) (streams, error) {
		return s, fmt.Errorf("ask the program that called for its streams: %w", err)
	}
	caller, err := dialCaller(o)
	if err != nil {
		return s, errors.New("the program that asked for the container has ended")
	}
	defer caller.Close()
	fd := int(caller.Fd())
	if err := unix.Sendto(fd, []byte(store.CallerAttach), unix.MSG_NOSIGNAL, nil); err != nil {
		return wrap(err)
	}
	answer, rights := make([]byte, 64), make([]byte, unix.CmsgSpace(3*4))
	n, space, _, _, err := unix.Recvmsg(fd, answer, rights, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, space, _, _, err = unix.Recvmsg(fd, answer, rights, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return wrap(err)
	}
	if string(answer[:n]) != store.CallerReady {
		return wrap(errors.New("it does not give them"))
	}
	if o.terminal {
		return s, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights[:space])
	if err != nil || len(messages) != 1 {
		return wrap(fmt.Errorf("%d lists of descriptors came, %v", len(messages), err))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 3 {
		return wrap(fmt.Errorf("%d descriptors came, %v", len(fds), err))
	}
	return streams{in: os.NewFile(uintptr(fds[0]), "stdin"), out: os.NewFile(uintptr(fds[1]), "stdout"),
		err: os.NewFile(uintptr(fds[2]), "stderr")}, nil
}

// close gives up what attach returned: only the payload shall hold it.
func (s streams) close() {
	for _, f := range []*os.File{s.in, s.out, s.err} {
		f.Close()
	}
}

// leave is the last thing that clean does for a container of "syscontainer run": its
// state goes, unless something may still use it, and the caller hears how it ended.
// Without a caller its directory goes.
func leave(o options, unused bool) error {
	var err error
	if o.remove && unused {
		err = errors.Join(takeExports(o), undoTmpfiles(o))
	}
	if o.remove && unused && err == nil { // with it go the records of what is exported and made
		err = os.RemoveAll(filepath.Join("/", o.root, store.Dir, "containers", o.name))
	}
	if o.caller == "" {
		return err
	}
	end := store.End{Result: os.Getenv("SERVICE_RESULT"), Code: os.Getenv("EXIT_CODE"), Status: os.Getenv("EXIT_STATUS")}
	if tellCaller(o, end.Message()) != nil {
		err = errors.Join(err, os.RemoveAll(o.caller))
	}
	return err
}

// validCaller accepts only what "syscontainer run" makes: clean removes it.
func validCaller(o options) bool {
	dir, name := filepath.Split(o.caller)
	return dir == filepath.Join("/", o.root, "run/syscontainer")+"/" && len(name) > 1 &&
		name[:1] == store.CallerPrefix && validID(name[1:])
}
