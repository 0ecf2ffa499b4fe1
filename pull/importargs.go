package main

import (
	"path/filepath"
	"strings"

	"syscontainer/units"
)

// podmanFlags are the options of podman run that have a key. Of those with a word
// behind the key the value must be that word, or nothing.
var podmanFlags = map[string]string{
	"--add-host": "AddHost", "--annotation": "Annotation", "--cap-add": "AddCapability", "--cap-drop": "DropCapability",
	"--cgroupns": "Cgroup", "--device": "AddDevice", "--dns": "DNS", "--dns-option": "DNSOption", "--dns-search": "DNSSearch",
	"--entrypoint": "Entrypoint", "--env": "Environment", "-e": "Environment", "--env-file": "EnvironmentFile",
	"--env-host": "EnvironmentHost yes", "--group-add": "GroupAdd", "--hostname": "HostName", "-h": "HostName",
	"--http-proxy": "HttpProxy yes", "--init": "RunInit yes", "--ipc": "IPC", "--label": "Label", "-l": "Label",
	"--memory": "Memory", "-m": "Memory", "--mount": "Mount", "--name": "ContainerName", "--network": "Network",
	"--net": "Network", "--pid": "PID", "--pids-limit": "PidsLimit", "--privileged": "Privileged yes", "--pull": "Pull", "--read-only": "ReadOnly yes",
	"--read-only-tmpfs": "ReadOnlyTmpfs yes", "--security-opt": "", "--shm-size": "ShmSize", "--stop-signal": "StopSignal",
	"--stop-timeout": "StopTimeout", "--sysctl": "Sysctl", "--systemd": "Systemd", "--tmpfs": "Tmpfs", "--tz": "Timezone", "--ulimit": "Ulimit",
	"--user": "User", "-u": "User", "--userns": "UserNS", "--uts": "UTS", "--volume": "Volume", "-v": "Volume", "--workdir": "WorkingDir",
	"-w": "WorkingDir", "--secret": "Secret", "--publish": "PublishPort", "-p": "PublishPort",
}

// refusedFlags are those with more to say than that there is no key.
var refusedFlags = map[string]struct{ why, hint string }{
	"--replace": {"a start does that by itself", ""},
	"--rm":      {"a stop does that by itself", ""},
	"--detach":  {"the service does that by itself", ""},
	"-d":        {"the service does that by itself", ""},
	"--cgroups": {"the payload always runs in the unit's own cgroup", ""},
}

// podmanArgs writes the keys that options stand for.
func (im *imported) podmanArgs(item *quadletItem) {
	words, ok := im.splitWords(item.value)
	if !ok {
		im.drop(item, "cannot be split into words", "")
		return
	}
	for i := 0; i < len(words); i++ {
		flag, value, assigned := strings.Cut(words[i], "=")
		shown := words[i]
		key, known := podmanFlags[flag]
		key, fixed, isSwitch := strings.Cut(key, " ")
		takes := known && !isSwitch || !known && refusedFlags[flag].why == "" && strings.HasPrefix(flag, "-")
		if !assigned && takes && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			i++
			value, shown = words[i], shown+" "+words[i]
		}
		if isSwitch && !assigned {
			value = fixed
		}
		part := &quadletItem{line: item.line, section: item.section, key: key, value: value, from: item.key + "=" + shown}
		switch refused := refusedFlags[flag]; {
		case refused.why != "":
			im.drop(part, flag+": "+refused.why, refused.hint)
		case flag == "--security-opt":
			im.securityOption(part)
		case !known:
			im.drop(part, "there is no key for "+flag, "")
		case value == "":
			im.drop(part, flag+" has no value", "")
		default:
			im.argument(part)
		}
	}
}

// argument translates a part of PodmanArgs= as if its key had been written.
func (im *imported) argument(part *quadletItem) {
	im.has[part.key] = true
	switch part.key {
	case "AddCapability", "DropCapability":
		part.value = strings.ReplaceAll(part.value, ",", " ")
	case "Environment", "Annotation", "Label", "EnvironmentFile", "AddDevice", "Sysctl":
		part.value = quoteWord(part.value)
	}
	im.container(part)
}

// securityOption is --security-opt, which is several keys.
func (im *imported) securityOption(part *quadletItem) {
	name, value, assigned := strings.Cut(part.value, "=")
	if !assigned {
		name, value, assigned = strings.Cut(part.value, ":")
	}
	set := func(key, value string) {
		part.key, part.value = key, value
		im.argument(part)
	}
	switch name {
	case "no-new-privileges":
		if !assigned {
			value = "yes"
		}
		set("NoNewPrivileges", value)
		return
	case "seccomp":
		set("SeccompProfile", value)
		return
	case "apparmor":
		set("AppArmor", value)
		return
	case "mask":
		set("Mask", value)
		return
	case "unmask":
		set("Unmask", value)
		return
	case "label":
		kind, label, _ := strings.Cut(value, ":")
		switch kind {
		case "disable":
			set("SecurityLabelDisable", "yes")
			return
		case "nested":
			set("SecurityLabelNested", "yes")
			return
		case "type":
			set("SecurityLabelType", label)
			return
		case "level":
			set("SecurityLabelLevel", label)
			return
		case "filetype":
			set("SecurityLabelFileType", label)
			return
		}
	}
	im.drop(part, "there is no key for --security-opt "+part.value, "")
}

// splitWords splits as units split Exec=; specifiers stay.
func (im *imported) splitWords(value string) (words []string, ok bool) {
	path, err := filepath.Abs(im.to)
	if err != nil {
		return nil, false
	}
	u := &units.Unit{Name: im.name, Stem: im.name, Path: path, Lines: []units.Line{
		{Section: "Container", Key: "Exec", Value: strings.ReplaceAll(value, "%", "%%"), File: path, Line: 1},
	}}
	c, errs, _ := u.Container()
	for _, p := range errs {
		if p.Line == 1 {
			return nil, false
		}
	}
	return c.Exec, true
}

// quoteWord writes a word so that it is split off again as one.
func quoteWord(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\\\"'") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
