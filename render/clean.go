package main

import "errors"

// clean is ExecStopPost=, after every end of the service, failed preparations
// included. It needs nothing but the names and does not read the unit file, which
// may be gone. With nothing left to remove it does nothing.
func clean(o options) error {
	err := cleanUp(o)
	return errors.Join(err, leave(o, err == nil))
}

func cleanUp(o options) error {
	unit, err := unitCgroup()
	if err != nil {
		return err
	}
	endRuntime(unit)
	b := bundleOf(o.root, o.name)
	containers := []launch{given(o, b)}
	// A reload in between may have given the unit another ContainerName=.
	if before, ok := b.launch(); ok && before.ID != containers[0].ID {
		containers = append(containers, before)
	}
	for _, l := range containers {
		if err := removeState(o, l, unit); err != nil {
			return err // the bundle may be in use
		}
	}
	if err := disconnect(o, b); err != nil {
		return err
	}
	return b.remove()
}
