package convert

const innerHalt = "SIGRTMIN+3"

// stoppingSystemd asks a systemd in the container to halt (systemd(1), SIGRTMIN+3): SIGTERM
// would make it execute itself anew. ExecStop= sends the same, once systemd can take it;
// this is for when there is none, as before the start is over. It bounds the time its
// own services take, so that ours does not cut them short: TimeoutStopSec= is left to the
// manager's default.
func (d *draft) stoppingSystemd() {
	if signal, _ := lastValue(d.service, "KillSignal"); signal == "" && d.c.StopSignal == "" {
		d.t.set("KillSignal", innerHalt)
	}
}

// refuseInnerSystemd: a oneshot service is done when its payload ends, which systemd does
// not do by itself.
func (d *draft) refuseInnerSystemd() {
	if _, line := lastValue(d.container, "Systemd"); d.c.Systemd {
		d.fail(line, "Systemd=yes is not possible with Type=oneshot: it does not end by itself", "leave out Type=")
	}
}
