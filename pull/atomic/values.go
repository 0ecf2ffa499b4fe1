package atomic

import (
	"maps"
	"strconv"
	"strings"
)

// Place is where and as what an image becomes a container: what the variables are about that nobody sets.
type Place struct {
	Name      string // of the container, its unit and the runtime's container
	Directory string // that holds the image's rootfs/
	Image     string // as the unit names it
	ImageID   string // hexadecimal digest of its manifest
	UUID      string // of this container on this machine, the same at each start
	Runtime   string // absolute path of the OCI runtime
	Command   string // absolute path of the operator's command
	UID, GID  int    // who installs

	Capabilities []string // all that the kernel knows, in its order, "CAP_CHOWN"
}

// Class is who gives a variable its value.
type Class int

const (
	FromUser   Class = iota // the unit, or else the manifest; without both it must be set
	FromSystem              // the machine, unless the unit sets it
	Forced                  // the container; what a unit sets is not used
)

var classes = map[string]Class{
	"RUN_DIRECTORY": FromSystem, "PIDFILE": FromSystem, "CONF_DIRECTORY": FromSystem, "STATE_DIRECTORY": FromSystem,
	"ALL_PROCESS_CAPABILITIES": FromSystem, "RUNTIME": FromSystem, "ATOMIC": FromSystem, "UUID": FromSystem,
	"DESTDIR": Forced, "NAME": Forced, "IMAGE_NAME": Forced, "IMAGE_ID": Forced, "HOST_UID": Forced, "HOST_GID": Forced,
	"EXEC_START": Forced, "EXEC_STOP": Forced, "EXEC_STARTPRE": Forced, "EXEC_STOPPOST": Forced,
}

// ClassOf tells who gives a variable its value.
func ClassOf(name string) Class { return classes[name] }

// Values are those of all variables: the forced ones, what the unit sets ("NAME=VALUE", of a name the last), the system's,
// the manifest's defaults. A default for a variable of the system means nothing, but for UUID.
func (p Place) Values(set []string, m *Manifest) map[string]string {
	values := make(map[string]string, len(classes)+len(m.Defaults)+len(set))
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	give := func(name, value string) {
		if _, known := values[name]; !known {
			values[name] = value
		}
	}
	give("RUN_DIRECTORY", "/run")
	give("PIDFILE", values["RUN_DIRECTORY"]+"/container-"+p.Name+".pid")
	give("CONF_DIRECTORY", "/etc")
	give("STATE_DIRECTORY", "/var/lib")
	give("ALL_PROCESS_CAPABILITIES", jsonList(p.Capabilities))
	give("RUNTIME", p.Runtime)
	give("ATOMIC", p.Command)
	for name, value := range m.Defaults {
		give(name, value)
	}
	give("UUID", p.UUID)
	maps.Copy(values, map[string]string{
		"DESTDIR": p.Directory, "NAME": p.Name, "IMAGE_NAME": p.Image, "IMAGE_ID": p.ImageID,
		"HOST_UID": strconv.Itoa(p.UID), "HOST_GID": strconv.Itoa(p.GID),
		"EXEC_START": "", "EXEC_STOP": "", "EXEC_STARTPRE": "", "EXEC_STOPPOST": "",
	})
	return values
}

// jsonList is the inside of a JSON list of plain words, one a line.
func jsonList(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return `"` + strings.Join(words, "\",\n\"") + "\"\n"
}
