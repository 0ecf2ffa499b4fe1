package units

import (
	"slices"
	"strings"
)

// quadletKeys are the keys of Quadlet's [Container] that are not ours, with what
// does their work here. They are errors, for without them the payload would do more,
// or see less, than its author meant; where that is not so, ignored is set.
var quadletKeys = [...]struct {
	names   string
	hint    string
	means   string // the value that says what is so in any case; "": none
	ignored bool
}{
	{names: "Retry RetryDelay", hint: "a fetch is repeated by itself", ignored: true},
	{names: "CgroupsMode", hint: "the payload always runs in the unit's own cgroup", means: "split"},
	{names: "LogDriver", hint: "output goes to the journal, see StandardOutput= in systemd.exec(5)", means: "journald"},
	{names: "LogOpt", hint: "output goes to the journal, see LogExtraFields= in systemd.exec(5)"},
	{names: "ContainersConfModule", hint: "no configuration of podman is read: write the keys themselves"},
	{names: "GlobalArgs", hint: "write RuntimeArgs= for options of the runtime"},
	{names: "PodmanArgs", hint: "write ConfigPatch= for what no key says, RuntimeArgs= for options of the runtime"},
	{names: "ExposeHostPort", hint: "write PublishPort=8080:80; with Network=host every port the payload opens is the machine's"},
	{names: "NetworkAlias", hint: "there is no name server; AddHost= writes names into /etc/hosts"},
	{names: "HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize HealthOnFailure HealthRetries " +
		"HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries HealthStartupSuccess " +
		"HealthStartupTimeout HealthTimeout", hint: "with Notify=yes, WatchdogSec= in [Service] restarts a payload that hangs; HealthExec= in [Update] judges a new image"},
	{names: "Pod StartWithPod", hint: "write Network=NAME.syscontainer, IPC=NAME.syscontainer to share what containers of a pod share"},
	{names: "RemapGid RemapUid RemapUidSize RemapUsers SubGIDMap SubUIDMap", hint: "write the ranges themselves, for example UIDMap=0:100000:65536"},
	{names: "Secret", hint: "write Credential=NAME:FILE"},
	{names: "VolatileTmp", hint: "write Tmpfs=/tmp; with ReadOnly=yes /tmp is in memory anyway"},
}

// unknownKey says what is wrong with a key of [Container] that is not in the table;
// nil if nothing is.
func unknownKey(line *Line) (problem *Problem, isError bool) {
	if strings.HasPrefix(line.Key, "X-") {
		return nil, false
	}
	problem = &Problem{File: line.File, Line: line.Line, Column: line.Column}
	for i := range quadletKeys {
		known := &quadletKeys[i]
		if !containsWord(known.names, line.Key) {
			continue
		}
		if line.Value == "" || unquote(line.Value) == known.means {
			return nil, false
		}
		problem.Msg, problem.Hint = line.Key+"= of Quadlet is not possible", known.hint
		if known.means != "" {
			problem.Msg = line.Key + "=: only " + known.means + " is possible"
		}
		if known.ignored {
			problem.Msg += ", ignoring"
		}
		return problem, !known.ignored
	}
	problem.Msg = "unknown key " + quote(line.Key+"=") + " in [Container], ignoring"
	if near := nearest(line.Key, keyNames); near != "" {
		problem.Hint = `did you mean "` + near + `="?`
	} else if isServiceKey(line.Key) {
		problem.Hint = "does it belong into [Service]?"
	} else if isUpdateKey(line.Key) {
		problem.Hint = "does it belong into [Update]?"
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
	for i := range keys {
		if !yield(keys[i].name) {
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
