package units

// systemd refuses what a systemd in the container cannot live with.
func (r *reading) systemd() {
	if !r.Systemd {
		return
	}
	if r.RunInit {
		r.complain("RunInit", "RunInit=yes puts an init before the payload, and with Systemd=yes that is one", "remove RunInit=")
	}
	if r.PID != "private" {
		r.complain("PID", "PID= shows the processes of others, and with Systemd=yes the first of the container's own must be systemd", "remove PID=")
	}
	if r.Cgroup != "private" {
		r.complain("Cgroup", "Cgroup=host shows the machine's control groups, and with Systemd=yes the container manages its own", "remove Cgroup=")
	}
}
