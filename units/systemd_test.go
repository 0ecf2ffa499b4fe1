package units

import "testing"

func TestSystemd(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"Systemd=yes\nRunInit=no\nCgroup=private\nPID=private": func(c *Container) { c.Systemd = true },
		"Systemd=yes\nSystemd=":                                func(c *Container) {},
		"Systemd=no\nPID=host\nRunInit=yes":                    func(c *Container) { c.PID, c.RunInit = "host", true },
	})
	const others = "PID= shows the processes of others, and with Systemd=yes the first of the container's own must be systemd\nhint: remove PID="
	refuses(t, map[string]string{
		"Systemd=maybe":              "web:3: Systemd=: \"maybe\" is no boolean\nhint: write yes or no",
		"RunInit=yes\nSystemd=yes":   "web:3: RunInit=yes puts an init before the payload, and with Systemd=yes that is one\nhint: remove RunInit=",
		"Systemd=yes\nPID=host":      "web:4: " + others,
		"Systemd=yes\nPID=ns:/run/x": "web:4: " + others,
		"Systemd=yes\nCgroup=host":   "web:4: Cgroup=host shows the machine's control groups, and with Systemd=yes the container manages its own\nhint: remove Cgroup=",
	})
}
