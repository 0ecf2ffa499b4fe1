package convert

// Run is what the service of "syscontainer run" has beside that of a file: its unit is not
// made by the generator, and it may have a caller, whom render tells what happens.
type Run struct {
	Path     string // of the unit that it is about
	File     string // absolute path of the text of the service, for render to read
	Caller   string // directory where the caller listens
	Attach   bool   // the payload's streams are the caller's
	Terminal bool   // the payload has a terminal, which the caller holds
	Remove   bool   // at the end, everything that the container has on disk goes
}

// run is nil for the service of a file.
func (d *draft) run() *Run {
	if d.Run != nil && d.Run.Path == d.u.Path {
		return d.Run
	}
	return nil
}

// runOptions are those of render, for each of its three calls.
func (d *draft) runOptions() (unit, start, clean string) {
	unit = d.unitFile()
	r := d.run()
	if r == nil {
		return unit, "", ""
	}
	unit += " --caller=" + r.Caller
	start, clean = " --caller="+r.Caller, " --caller="+r.Caller
	switch {
	case r.Terminal:
		unit += " --terminal"
		start += " --terminal"
	case r.Attach:
		start += " --attach"
	}
	if r.Remove {
		clean += " --remove"
	}
	return unit, start, clean
}

// unitFile is where the text of the service is, for render to read; %y is the file that
// systemd read it from.
func (d *draft) unitFile() string {
	if r := d.run(); r != nil {
		return r.File
	}
	return "%y"
}
