package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// After a fetch the payload has all of TimeoutStartSec=, whatever systemctl(1) calls that; where it is not known, or has no
// end, systemd is told nothing.
func TestRenewTimeout(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	socket := filepath.Join(dir, "notify")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	for says, want := range map[string]string{
		"1min 30s":      "EXTEND_TIMEOUT_USEC=90000000",
		"1h 2min 500ms": "EXTEND_TIMEOUT_USEC=3720500000",
		"infinity":      "",
		"":              "",
		"nonsense":      "",
	} {
		// Of systemd's answers only this one is wanted; the program is real on the hosts of test/e2e.
		program := "#!/bin/sh\n[ \"$*\" = 'show --property=TimeoutStartUSec --value -- web.service' ] && echo '" + says + "'\n"
		if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
		renewTimeout(options{name: "web"})
		message := make([]byte, 256)
		listener.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _ := listener.Read(message)
		if got := string(message[:n]); got != want {
			t.Errorf("%q: told %q, want %q", says, got, want)
		}
	}
}
