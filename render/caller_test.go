package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// caller listens as "syscontainer run" does.
func caller(t *testing.T) (o options, l *net.UnixListener) {
	t.Helper()
	root := t.TempDir()
	o = options{root: root, name: "job", caller: filepath.Join(root, "run/syscontainer/+1")}
	if err := os.MkdirAll(o.caller, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(o.caller, store.CallerSocket), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return o, l
}

// reply takes one message and answers it.
func reply(t *testing.T, l *net.UnixListener, answer string, files ...*os.File) <-chan string {
	heard := make(chan string, 1)
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			heard <- err.Error()
			return
		}
		defer conn.Close()
		message := make([]byte, store.LongestCallerMessage)
		n, _ := conn.Read(message)
		var fds []int
		for _, f := range files {
			fds = append(fds, int(f.Fd()))
		}
		if answer != "" {
			conn.WriteMsgUnix([]byte(answer), unix.UnixRights(fds...), nil)
		}
		heard <- string(message[:n])
	}()
	return heard
}

func TestAttach(t *testing.T) {
	o, l := caller(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	heard := reply(t, l, store.CallerReady, r, w, w)
	s, err := attach(o)
	if err != nil || <-heard != store.CallerAttach {
		t.Fatal(err)
	}
	w.Close()
	s.out.WriteString("across")
	given := s.in
	s.out.Close()
	s.err.Close()
	if data, err := io.ReadAll(given); err != nil || string(data) != "across" {
		t.Errorf("%q, %v", data, err)
	}

	o.terminal = true
	heard = reply(t, l, store.CallerReady)
	if _, err := attach(o); err != nil || <-heard != store.CallerAttach {
		t.Error(err)
	}
	o.terminal = false
	for _, answer := range []string{"", "no", store.CallerReady} { // the last without descriptors
		heard = reply(t, l, answer)
		if _, err := attach(o); err == nil {
			t.Errorf("answer %q: no error", answer)
		}
		<-heard
	}
	l.Close()
	if _, err := attach(o); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Error(err)
	}
}

// At the end the caller hears how it was; without one, its directory goes. Data goes only with --remove.
func TestLeave(t *testing.T) {
	o, l := caller(t)
	state := filepath.Join(o.root, "var/lib/syscontainer/containers/job")
	if err := os.MkdirAll(filepath.Join(state, "upper/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVICE_RESULT", "exit-code")
	t.Setenv("EXIT_CODE", "exited")
	t.Setenv("EXIT_STATUS", "7")
	heard := reply(t, l, "")
	if err := leave(o, true); err != nil {
		t.Error(err)
	}
	if _, end, err := store.ReadCallerMessage(<-heard); err != nil || end != (store.End{Result: "exit-code", Code: "exited", Status: "7"}) {
		t.Errorf("%+v, %v", end, err)
	}
	if _, err := os.Stat(state); err != nil {
		t.Error("data went without --remove:", err)
	}
	if _, err := os.Stat(o.caller); err != nil {
		t.Error("the directory of a living caller went:", err)
	}
	l.Close()
	o.remove = true
	if err := leave(o, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(state); err != nil {
		t.Error("data went while it may be in use:", err)
	}
	if err := leave(o, true); err != nil {
		t.Error(err)
	}
	for _, gone := range []string{state, o.caller} {
		if _, err := os.Lstat(gone); !os.IsNotExist(err) {
			t.Errorf("%s: %v", gone, err)
		}
	}
	if err := leave(options{root: o.root, name: "web"}, true); err != nil {
		t.Error("a service of a file:", err)
	}
}

// What a payload inherits is given to its user: so a file is copied.
func TestCopyOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	memory, err := copyOf(f, 4)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(memory); err != nil || string(data) != "text" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := memory.WriteString("more"); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(file); string(data) != "text" {
		t.Errorf("the file became %q", data)
	}
	if _, err := copyOf(f, largestInput+1); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB\nhint: ") {
		t.Error(err)
	}
}
