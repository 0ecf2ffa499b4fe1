package convert

// noPayload writes the commands of a service with Payload=no: its start puts the image's files for the host in place, and
// no container is there that could be stopped.
func (d *draft) noPayload() {
	if value, _ := lastValue(d.service, "RemainAfterExit"); value == "" {
		d.t.set("RemainAfterExit", "yes")
	}
	write := func(keys ...string) {
		for _, key := range keys {
			for _, line := range effective(d.service, key) {
				d.t.set(key, line.Value)
			}
		}
	}
	write("ExecStartPre")
	d.t.set("ExecStart", d.Render+" --unit=%y %N")
	write("ExecReload", "ExecStop", "ExecStopPost")
}
