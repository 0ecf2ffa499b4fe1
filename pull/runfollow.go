package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	"syscontainer/pull/store"
)

// passedOn are the signals that are meant for the payload.
var passedOn = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2}

// patience is how often systemd is asked for the state of the service: at the end, and
// while nothing happens, in case that nobody tells the end.
const (
	quick = 10 * time.Millisecond
	slow  = 2 * time.Second
)

// course is what has happened to the service.
type course struct {
	attached bool
	started  bool   // for sure; one that ends at once may not be told
	failure  string // why there is no payload
	end      *store.End
	job      string    // result of the start; "": not known yet
	stopped  os.Signal // that this program got before there was a payload
	asked    int       // signals that ask the payload to end
}

// follow stays with the service until it has ended; with -d, until it has started.
func (s *session) follow() error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, heeded(passedOn)...)
	defer signal.Stop(signals)
	var c course
	for wait := slow; ; {
		look := time.After(wait)
		select {
		case got := <-signals:
			s.passOn(&c, got.(syscall.Signal))
			continue
		case event := <-s.told:
			switch event := event.(type) {
			case started:
				c.started = true
				continue
			case attached:
				c.attached = true
				if err := s.front.begin(); err != nil {
					s.stop()
					c.failure = err.Error()
				}
				continue
			case failed:
				c.failure = string(event)
				continue
			case store.End:
				c.end = &event
				wait = quick
			}
		case c.job = <-s.job:
			if c.job == "done" && s.detach {
				fmt.Println(s.name + ".service")
				return nil
			}
			if c.job == "done" || c.end != nil {
				continue
			}
			wait = quick
		case <-look:
		}
		state, err := activeState(s.name)
		if err == nil && s.detach && state == "activating" && c.job != "" { // Restart=
			return s.over(&c)
		}
		if err != nil || state != "inactive" && state != "failed" {
			continue
		}
		// What was told before the end may not have been heard yet.
		if wait == slow || c.end == nil && len(s.told) > 0 {
			wait = quick
			continue
		}
		return s.over(&c)
	}
}

// over is called when the service has ended.
func (s *session) over(c *course) error {
	if s.front != nil {
		signal.Reset(heeded(passedOn)...) // somebody may not want to wait for a reader that is slow
		s.front.finish()
		s.front.close()
	}
	if c.stopped != nil && !c.started { // else it got the signal after all, and ended as it liked
		return exitStatus{nil, 128 + int(c.stopped.(syscall.Signal))}
	}
	said := c.failure
	if c.attached && said == "" && c.end != nil && c.end.Code != "" {
		switch c.end.Result {
		case "success", "exit-code", "signal", "core-dump":
			return statusOf(c.end)
		}
	}
	switch {
	case said != "":
	case c.end != nil && c.end.Result != "success":
		said = "systemd ended it: " + c.end.Result
	case c.job != "" && c.job != "done":
		said = "its start failed: " + c.job
	default:
		said = "it has ended, and nobody told how"
	}
	if !strings.Contains(said, "\nhint: ") {
		said += "\nhint: journalctl -u " + s.name
	}
	return exitStatus{errors.New("run: " + s.name + ": " + said), exitNoPayload}
}

// statusOf is what a shell makes of it.
func statusOf(end *store.End) error {
	if end.Code == "exited" {
		if n, err := strconv.Atoi(end.Status); err == nil {
			return exitStatus{nil, n}
		}
	} else if n := unix.SignalNum("SIG" + end.Status); n != 0 {
		return exitStatus{nil, 128 + int(n)}
	} else if n, ok := strings.CutPrefix(end.Status, "RTMIN+"); ok {
		n, _ := strconv.Atoi(n)
		return exitStatus{nil, 128 + 34 + n}
	}
	return exitStatus{nil, exitNoPayload}
}

// passOn hands a signal to the payload. Who asks a second time wants its end, and so does
// a terminal that was closed. Before there is a payload it is the start that ends.
func (s *session) passOn(c *course, sig syscall.Signal) {
	ends := sig != unix.SIGUSR1 && sig != unix.SIGUSR2 && sig != unix.SIGQUIT
	switch {
	case !c.started:
		if ends && c.stopped == nil {
			c.stopped = sig
			s.stop()
		}
		return
	case ends && c.asked > 0:
		s.kill(dbus.All, unix.SIGKILL)
		return
	}
	s.kill(dbus.Main, sig)
	if ends {
		c.asked++
	}
	if sig == unix.SIGHUP {
		s.stop()
	}
}

// withSystemd makes a connection of its own each time: systemd closes them when it
// executes itself anew.
func withSystemd(do func(ctx context.Context, conn *dbus.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(ctx, conn)
}

func (s *session) kill(who dbus.Who, sig syscall.Signal) {
	withSystemd(func(ctx context.Context, conn *dbus.Conn) error {
		return conn.KillUnitWithTarget(ctx, s.name+".service", who, int32(sig))
	})
}

func (s *session) stop() {
	withSystemd(func(ctx context.Context, conn *dbus.Conn) error {
		_, err := conn.StopUnitContext(ctx, s.name+".service", "replace", nil)
		return err
	})
}

// activeState is "inactive" for a unit that systemd does not know any more.
func activeState(name string) (state string, err error) {
	err = withSystemd(func(ctx context.Context, conn *dbus.Conn) error {
		property, err := conn.GetUnitPropertyContext(ctx, name+".service", "ActiveState")
		if err == nil {
			state, _ = property.Value.Value().(string)
		}
		return err
	})
	return state, err
}
