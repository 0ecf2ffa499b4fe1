package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"syscontainer/pull/registry"
)

// Values of NetworkManager's D-Bus interface, see its nm-dbus-types.
const (
	networkAsleep        = 10
	networkDisconnecting = 30
	meteredYes           = 1
	meteredGuessYes      = 3
)

// networkNow asks NetworkManager, if it runs: it is not started for this. What cannot be found out is a network to try.
func networkNow(ctx context.Context, s settings) machineNetwork {
	n := machineNetwork{metered: s.metered == "yes"}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return n
	}
	defer conn.Close()
	n.ask(s, func(property string) (value uint32) {
		manager := conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager")
		call := manager.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, "org.freedesktop.NetworkManager", property)
		var v dbus.Variant
		if call.Store(&v) == nil {
			value, _ = v.Value().(uint32)
		}
		return value
	})
	return n
}

// ask takes what NetworkManager's properties say; 0 is that it does not know.
func (n *machineNetwork) ask(s settings, property func(string) uint32) {
	if state := property("State"); state >= networkAsleep && state <= networkDisconnecting {
		n.absent = true
	}
	if s.metered == "" {
		metered := property("Metered")
		n.metered = metered == meteredYes || metered == meteredGuessYes
	}
}

// waits tells errors of an unattended fetch that are no failure: a registry that is out of reach, or a medium that is
// not plugged in. The next run tries again.
func waits(reference string, err error) bool {
	if strings.Contains(reference, ":/") { // a path of the machine
		return errors.Is(err, fs.ErrNotExist)
	}
	return registry.Unreachable(err)
}
