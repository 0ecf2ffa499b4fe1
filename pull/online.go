package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// onlineWait bounds the wait for network-online.target: the service behind it
// may itself wait for minutes for a cable that is not plugged in.
const onlineWait = 30 * time.Second

// waitOnline asks systemd for network-online.target, as a fetch on the start
// path needs it: only now, not for every boot. Whatever comes of it, the fetch
// is tried next and has the better message.
func waitOnline(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, onlineWait)
	defer cancel()
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	done := make(chan string, 1)
	if _, err := conn.StartUnitContext(ctx, "network-online.target", "replace", done); err != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
