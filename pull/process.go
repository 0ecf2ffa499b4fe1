package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"syscontainer/pull/accounts"
)

// process is the payload's (runtime-spec), changed as the options say: what confines
// the payload confines the command.
func (o *execOptions) process(c *running) (*rspec.Process, error) {
	p := *c.spec.Process
	p.Args, p.Terminal, p.ConsoleSize, p.CommandLine = o.args, o.tty, nil, ""
	if o.dir != "" {
		p.Cwd = o.dir
	}
	p.Env = slices.DeleteFunc(slices.Clone(p.Env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "NOTIFY_SOCKET" || strings.HasPrefix(name, "WATCHDOG_") || strings.HasPrefix(name, "LISTEN_")
	})
	if o.tty && o.term != "" {
		p.Env = setVariable(p.Env, "TERM="+o.term)
	}
	if o.user != "" {
		u, err := lookupUser(c.root, o.user)
		if err != nil {
			return nil, err
		}
		p.User.UID, p.User.GID, p.User.AdditionalGids = u.UID, u.GID, u.Groups
		if u.Home == "" {
			u.Home = "/"
		}
		p.Env = setVariable(p.Env, "HOME="+u.Home)
		p.Capabilities = capabilitiesOf(p.Capabilities, u.UID)
	}
	for _, v := range o.env {
		p.Env = setVariable(p.Env, v)
	}
	return &p, nil
}

// capabilitiesOf is what a user gets within the payload's bounding set: root all of it,
// anybody else what is handed on over execve(2), the ambient set. With the effective
// set of a payload that is root another user would be root, too.
func capabilitiesOf(payload *rspec.LinuxCapabilities, uid uint32) *rspec.LinuxCapabilities {
	if payload == nil {
		return nil
	}
	if uid == 0 {
		return &rspec.LinuxCapabilities{Bounding: payload.Bounding, Effective: payload.Bounding, Permitted: payload.Bounding}
	}
	return &rspec.LinuxCapabilities{Bounding: payload.Bounding, Effective: payload.Ambient, Permitted: payload.Ambient,
		Inheritable: payload.Ambient, Ambient: payload.Ambient}
}

// setVariable replaces an assignment; of two, programs take either.
func setVariable(env []string, assignment string) []string {
	name, _, _ := strings.Cut(assignment, "=")
	env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return append(env, assignment)
}

// lookupUser reads the accounts that the container has now, volumes included.
func lookupUser(root, name string) (accounts.User, error) {
	passwd, err := readInside(root, "etc/passwd")
	if err != nil {
		return accounts.User{}, err
	}
	group, err := readInside(root, "etc/group")
	if err != nil {
		return accounts.User{}, err
	}
	return accounts.Find(name, passwd, group)
}

// readInside reads a file of a running container, which may have made it a link out of
// its root, a pipe that blocks, or an endless one. None is no error.
func readInside(root, name string) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("read /%s of the container: %w", name, err)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(dir, name, &how)
	for range 100 { // EAGAIN: a rename elsewhere raced with ".."
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
		fd, err = unix.Openat2(dir, name, &how)
	}
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return fail(err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fail(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > accounts.MaxFile {
		return fail(errors.New("it is no regular file, or longer than any such file"))
	}
	data, err := io.ReadAll(io.LimitReader(file, accounts.MaxFile)) // it may grow meanwhile
	if err != nil {
		return fail(err)
	}
	return data, nil
}
