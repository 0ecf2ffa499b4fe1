package units

import "strings"

// deviceForm reads words [-]SOURCE[:TARGET][:ACCESS].
func deviceForm(n *scope, s string) ([]Device, []error, error) {
	const form = "the form is [-]SOURCE[:TARGET][:ACCESS], for example /dev/ttyUSB0:/dev/modem:rw"
	words, _, err := split(s, plain)
	if err != nil {
		return nil, nil, err
	}
	var devices []Device
	for _, w := range words {
		d := Device{Access: "rwm"}
		rest, optional := strings.CutPrefix(w, "-")
		d.Optional = optional
		fields := strings.Split(rest, ":")
		if len(fields) > 3 {
			return nil, nil, wrong(form, quote(w), " has more than three parts")
		}
		if last := fields[len(fields)-1]; len(fields) == 3 || len(fields) == 2 && !strings.HasPrefix(last, "/") && !strings.HasPrefix(last, "%") {
			if !validAccess(last) {
				return nil, nil, wrong("letters of rwm, each once: read, write, make", quote(last), " is no access to a device")
			}
			d.Access = last
			fields = fields[:len(fields)-1]
		}
		source := fields[0]
		if strings.Contains(source, "=") && source[0] != '/' {
			return nil, nil, wrong("name the device node itself: /dev/…", quote(source), " is a device of CDI, and there is none here")
		}
		if d.Source, err = n.Expand(source); err == nil {
			d.Source, err = cleanPath(d.Source)
		}
		d.Target = d.Source
		if err == nil && len(fields) == 2 {
			d.Target, err = target(n, fields[1])
		}
		if err == nil && d.Target == "/" {
			err = wrong(form, quote(w), " is no device")
		}
		if err != nil {
			return nil, nil, err
		}
		devices = append(devices, d)
	}
	return devices, nil, nil
}

func validAccess(s string) bool {
	for i := range len(s) {
		if strings.IndexByte("rwm", s[i]) < 0 || strings.IndexByte(s[:i], s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}
