// SPDX-License-Identifier: Apache-2.0

// Command payload is what programs written for systemd do, for scripts to call in a container:
//
//	payload notify [--stdin] ASSIGNMENT…   sd_notify(3), with stdin's descriptor if asked; ends when systemd has read it
//	payload dial HOST:PORT                 sends its input there, and shows the answer
//	payload udp PORT                       sends back what comes to a port, for ever
//	payload serve                          answers on every socket of sd_listen_fds(3) who it thinks it is
//	payload cut STORE PHASE TIME           cuts the power of the store's disk, so long after the next update came that far
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 2 && os.Args[1] == "notify":
		err = notify(os.Args[2:])
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	case len(os.Args) == 3 && os.Args[1] == "dial":
		err = dial(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "udp":
		err = sendBack(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "cut":
		err = cut(os.Args[2], os.Args[3], os.Args[4])
	default:
		err = fmt.Errorf("usage: payload notify [--stdin] ASSIGNMENT… | dial HOST:PORT | udp PORT | serve | cut STORE PHASE TIME")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "payload:", err)
		os.Exit(1)
	}
}

func notify(assignments []string) error {
	var rights []byte
	if assignments[0] == "--stdin" {
		assignments, rights = assignments[1:], syscall.UnixRights(0)
	}
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	systemd := &syscall.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}
	if err := syscall.Sendmsg(socket, []byte(strings.Join(assignments, "\n")), rights, systemd, 0); err != nil {
		return err
	}
	// A message counts only while its sender is there to be looked up: sd_notify_barrier(3).
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	err = syscall.Sendmsg(socket, []byte("BARRIER=1"), syscall.UnixRights(int(w.Fd())), systemd, 0)
	w.Close()
	if err == nil {
		r.Read(make([]byte, 1)) // its end
	}
	return err
}

func serve() error {
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("no sockets for process %d: LISTEN_FDS=%s LISTEN_PID=%s", os.Getpid(), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"))
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	if len(names) != count {
		return fmt.Errorf("%d names for %d sockets: %q", len(names), count, names)
	}
	done := make(chan error)
	for i, name := range names {
		listener, err := net.FileListener(os.NewFile(uintptr(3+i), name))
		if err != nil {
			return fmt.Errorf("descriptor %d: %w", 3+i, err)
		}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					done <- err
					return
				}
				fmt.Fprintf(conn, "%s is descriptor %d of %d\n", name, 3+i, count)
				conn.Close()
			}
		}()
	}
	return <-done
}

func sendBack(port string) error {
	c, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return err
	}
	message := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(message)
		if err == nil {
			_, err = c.WriteTo(message[:n], from)
		}
		if err != nil {
			return err
		}
	}
}

// dial looks up names without the C library, of which a static busybox has too little.
func dial(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(c, os.Stdin); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}
