package units

import (
	"slices"
	"strings"
)

// quadletKeys are the keys of Quadlet's [Container] that are not ours, with what
// does their work here. Where leaving one out would let the payload do more, or see
// less, than its author meant, it is an error; elsewhere a warning.
var quadletKeys = [...]struct{ names, severity, hint string }{
	{"AddDevice", "error", "bind the device node: Volume=/dev/NAME:/dev/NAME"},
	{"AddHost DNS DNSOption DNSSearch", "error", "with Network=host the machine's /etc/hosts and /etc/resolv.conf apply; bind others with Volume="},
	{"Annotation Label", "warning", ""},
	{"AppArmor SecurityLabelType SecurityLabelLevel SecurityLabelFileType SecurityLabelNested SecurityLabelDisable", "error", ""},
	{"AutoUpdate", "warning", "images change when somebody pulls them"},
	{"CgroupsMode", "warning", "the payload always runs in the unit's own cgroup"},
	{"ContainerName", "warning", "the container is called like the unit"},
	{"ContainersConfModule GlobalArgs PodmanArgs", "error", ""},
	{"EnvironmentFile", "error", "write the variables into Environment=, in a drop-in if they are made by a program"},
	{"EnvironmentHost HttpProxy", "error", "name the variables in Environment="},
	{"ExposeHostPort", "warning", ""},
	{"PublishPort", "error", "with Network=host every port the payload opens is the machine's; a socket unit passes one port on"},
	{"Group", "error", "write User=USER:GROUP"},
	{"GroupAdd", "error", ""},
	{"HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize HealthOnFailure HealthRetries " +
		"HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries HealthStartupSuccess " +
		"HealthStartupTimeout HealthTimeout", "warning", "with Notify=yes, WatchdogSec= in [Service] restarts a payload that hangs"},
	{"IP IP6 NetworkAlias", "error", "there is Network=host and Network=none"},
	{"LogDriver LogOpt", "warning", "output goes to the journal, see StandardOutput= in systemd.exec(5)"},
	{"Mask Unmask", "error", ""},
	{"Memory", "error", "write MemoryMax= in [Service]"},
	{"Mount", "error", "write Volume= or Tmpfs="},
	{"NoNewPrivileges", "", ""},
	{"PidsLimit", "error", "write TasksMax= in [Service]"},
	{"Pod StartWithPod", "error", "order units with Requires= and After= in [Unit]"},
	{"ReadOnlyTmpfs", "", ""},
	{"ReloadCmd ReloadSignal", "error", "write ExecReload= in [Service], for example ExecReload=kill -HUP $MAINPID"},
	{"RemapGid RemapUid RemapUidSize RemapUsers SubGIDMap SubUIDMap GIDMap UIDMap UserNS", "error", "user namespaces are not possible yet; User= chooses who runs the payload"},
	{"Retry RetryDelay", "warning", "a fetch is tried again by Restart=on-failure in [Service]"},
	{"Rootfs", "error", "name an image: Image=oci:/DIR"},
	{"RunInit", "warning", "the payload is process 1 of the container"},
	{"SeccompProfile", "error", "the built-in filter always applies"},
	{"Secret", "error", "write LoadCredential=NAME:FILE in [Service] and bind it: Volume=/run/credentials/%n:/run/credentials:ro"},
	{"ServiceName", "error", "the service is called like the file: rename it"},
	{"ShmSize", "error", "write Tmpfs=/dev/shm:size=SIZE"},
	{"Sysctl", "error", "with Network=host the machine's settings apply, see sysctl.d(5)"},
	{"Timezone", "error", "write Environment=TZ=ZONE, or Volume=/etc/localtime:/etc/localtime:ro"},
	{"Ulimit", "error", "write LimitNOFILE= and the like in [Service]"},
	{"VolatileTmp", "warning", "/tmp is always a file system in memory while ReadOnly=yes"},
}

// unknownKey says what is wrong with a key of [Container] that is not in the table;
// nil if nothing is.
func unknownKey(line *Line) (problem *Problem, isError bool) {
	if strings.HasPrefix(line.Key, "X-") {
		return nil, false
	}
	problem = &Problem{File: line.File, Line: line.Line}
	for _, known := range quadletKeys {
		if !containsWord(known.names, line.Key) {
			continue
		}
		problem.Msg, problem.Hint = line.Key+"= of Quadlet is not possible", known.hint
		if known.severity == "warning" {
			problem.Msg += ", ignoring"
		}
		if known.severity == "" { // our default is yes and cannot be changed
			if yes, err := ParseBool(line.Value); err == nil && yes || line.Value == "" {
				return nil, false
			}
			problem.Msg = line.Key + "=: only yes is possible"
		}
		return problem, known.severity != "warning"
	}
	problem.Msg = "unknown key " + quote(line.Key+"=") + " in [Container], ignoring"
	if near := nearest(line.Key, keyNames); near != "" {
		problem.Hint = `did you mean "` + near + `="?`
	} else if isServiceKey(line.Key) {
		problem.Hint = "does it belong into [Service]?"
	}
	return problem, false
}

func containsWord(list, word string) bool {
	for w := range strings.SplitSeq(list, " ") {
		if w == word {
			return true
		}
	}
	return false
}

func keyNames(yield func(string) bool) {
	for _, k := range keys {
		if !yield(k.name) {
			return
		}
	}
}

// isServiceKey knows some keys of [Service] that are seen in [Container].
func isServiceKey(key string) bool {
	return slices.Contains([]string{"Restart", "RestartSec", "MemoryMax", "MemoryHigh", "CPUQuota", "TasksMax", "Type",
		"ExecStartPre", "ExecStartPost", "ExecStop", "TimeoutStartSec", "TimeoutStopSec", "Slice", "Delegate",
		"LimitNOFILE", "OOMScoreAdjust", "StandardOutput", "LoadCredential", "WatchdogSec"}, key)
}
