package units

import "time"

// key is how one key of [Container] is read. set takes the value of one assignment,
// the empty one included.
type key struct {
	name string
	set  func(d *draft, n *scope, value string) (warnings []error, err error)
	once bool // a later assignment replaces an earlier one
}

// draft is a container while its lines are being read.
type draft struct {
	Container
	rootfs rootfs
	group  string // of Group=
	userNS userNS
	labels []string

	autoUpdate string // of AutoUpdate=, as Auto= takes it
}

// keys are all keys of [Container]: name, form, field.
var keys = [...]key{
	one("Image", imageForm, func(d *draft) *string { return &d.Image }),
	one("Rootfs", rootfsForm, func(d *draft) *rootfs { return &d.rootfs }),
	one("ContainerName", containerNameForm, func(d *draft) *string { return &d.Name }),
	{"ServiceName", readByLoad, true},

	one("Exec", commandForm, func(d *draft) *[]string { return &d.Exec }),
	clearing(one("Entrypoint", entrypointForm, func(d *draft) *[]string { return &d.Entrypoint })),
	many("Environment", environmentForm, func(d *draft) *[]string { return &d.Environment }),
	many("EnvironmentFile", environmentFileForm, func(d *draft) *[]EnvironmentFile { return &d.EnvironmentFiles }),
	one("EnvironmentHost", boolForm, func(d *draft) *bool { return &d.EnvironmentHost }),
	one("HttpProxy", boolForm, func(d *draft) *bool { return &d.HTTPProxy }),
	one("User", userForm, func(d *draft) *string { return &d.User }),
	one("Group", groupForm, func(d *draft) *string { return &d.group }),
	many("GroupAdd", groupAddForm, func(d *draft) *[]string { return &d.GroupAdd }),
	one("WorkingDir", pathForm, func(d *draft) *string { return &d.WorkingDir }),
	one("RunInit", boolForm, func(d *draft) *bool { return &d.RunInit }),
	one("Systemd", boolForm, func(d *draft) *bool { return &d.Systemd }),

	many("Volume", volumeForm, func(d *draft) *[]Volume { return &d.Volumes }),
	many("Mount", mountForm, func(d *draft) *[]Mount { return &d.Mounts }),
	many("Tmpfs", tmpfsForm, func(d *draft) *[]Tmpfs { return &d.Tmpfs }),
	one("ReadOnly", boolForm, func(d *draft) *bool { return &d.ReadOnly }),
	one("Volatile", boolForm, func(d *draft) *bool { return &d.Volatile }),
	one("ReadOnlyTmpfs", boolForm, func(d *draft) *bool { return &d.ReadOnlyTmpfs }),
	one("ShmSize", sizeForm, func(d *draft) *int64 { return &d.ShmSize }),
	one("Timezone", timezoneForm, func(d *draft) *string { return &d.Timezone }),
	many("AddDevice", deviceForm, func(d *draft) *[]Device { return &d.Devices }),
	one("Propagation", propagationForm, func(d *draft) *string { return &d.Propagation }),

	one("Privileged", boolForm, func(d *draft) *bool { return &d.Privileged }),
	many("AddCapability", capabilityForm, func(d *draft) *[]string { return &d.AddCapability }),
	many("DropCapability", capabilityForm, func(d *draft) *[]string { return &d.DropCapability }),
	one("NoNewPrivileges", boolForm, func(d *draft) *bool { return &d.NoNewPrivileges }),
	one("SeccompProfile", seccompForm, func(d *draft) *string { return &d.SeccompProfile }),
	one("AppArmor", appArmorForm, func(d *draft) *string { return &d.AppArmor }),
	one("SecurityLabelType", labelForm, func(d *draft) *string { return &d.SELinux.Type }),
	one("SecurityLabelLevel", labelForm, func(d *draft) *string { return &d.SELinux.Level }),
	one("SecurityLabelFileType", labelForm, func(d *draft) *string { return &d.SELinux.FileType }),
	one("SecurityLabelDisable", boolForm, func(d *draft) *bool { return &d.SELinux.Disable }),
	one("SecurityLabelNested", boolForm, func(d *draft) *bool { return &d.SELinux.Nested }),
	many("Mask", maskForm, func(d *draft) *[]string { return &d.Mask }),
	many("Unmask", unmaskForm, func(d *draft) *[]string { return &d.Unmask }),
	many("Sysctl", sysctlForm, func(d *draft) *[]string { return &d.Sysctl }),
	many("Ulimit", ulimitForm, func(d *draft) *[]Ulimit { return &d.Ulimits }),
	many("UIDMap", idMapForm, func(d *draft) *[]IDMap { return &d.UIDMap }),
	many("GIDMap", idMapForm, func(d *draft) *[]IDMap { return &d.GIDMap }),
	one("UserNS", userNSForm, func(d *draft) *userNS { return &d.userNS }),

	one("Network", networkForm, func(d *draft) *string { return &d.Network }),
	{"PublishPort", setPublish, false},
	one("IP", addressForm, func(d *draft) *string { return &d.IP }),
	one("IP6", address6Form, func(d *draft) *string { return &d.IP6 }),
	one("PID", namespaceForm, func(d *draft) *string { return &d.PID }),
	one("IPC", namespaceForm, func(d *draft) *string { return &d.IPC }),
	one("UTS", namespaceForm, func(d *draft) *string { return &d.UTS }),
	one("Cgroup", cgroupForm, func(d *draft) *string { return &d.Cgroup }),
	one("HostName", hostNameForm, func(d *draft) *string { return &d.HostName }),
	many("DNS", dnsForm, func(d *draft) *[]string { return &d.DNS }),
	many("DNSOption", dnsOptionForm, func(d *draft) *[]string { return &d.DNSOption }),
	many("DNSSearch", dnsSearchForm, func(d *draft) *[]string { return &d.DNSSearch }),
	many("AddHost", hostForm, func(d *draft) *[]Host { return &d.AddHost }),

	one("Notify", notifyForm, func(d *draft) *bool { return &d.Notify }),
	one("AutoUpdate", autoUpdateForm, func(d *draft) *string { return &d.autoUpdate }),
	one("Pull", pullForm, func(d *draft) *string { return &d.Pull }),
	one("Runtime", runtimeForm, func(d *draft) *string { return &d.Runtime }),
	many("RuntimeArgs", runtimeArgsForm, func(d *draft) *[]string { return &d.RuntimeArgs }),
	one("StopSignal", signalForm, func(d *draft) *string { return &d.StopSignal }),
	one("StopTimeout", timeForm, func(d *draft) *time.Duration { return &d.StopTimeout }),
	one("ReloadCmd", commandForm, func(d *draft) *[]string { return &d.ReloadCmd }),
	one("ReloadSignal", signalForm, func(d *draft) *string { return &d.ReloadSignal }),
	one("Memory", sizeForm, func(d *draft) *int64 { return &d.Memory }),
	one("PidsLimit", pidsForm, func(d *draft) *int64 { return &d.PidsLimit }),

	many("Annotation", annotationForm, func(d *draft) *[]string { return &d.Annotations }),
	many("Label", annotationForm, func(d *draft) *[]string { return &d.labels }),
	one("Directories", boolForm, func(d *draft) *bool { return &d.Directories }),
	many("Credential", credentialForm, func(d *draft) *[]Credential { return &d.Credentials }),
	many("ConfigPatch", patchForm, func(d *draft) *[]ConfigPatch { return &d.ConfigPatches }),
	many("Tmpfiles", tmpfilesForm, func(d *draft) *[]string { return &d.Tmpfiles }),
	one("Template", boolForm, func(d *draft) *bool { return &d.Template }),
	many("Set", setForm, func(d *draft) *[]string { return &d.Set }),
	{"Export", setExport, false},
	one("Payload", boolForm, func(d *draft) *bool { return &d.Payload }),
}

// unset is a container of which nothing is said.
var unset = Container{
	ReadOnly: true, ReadOnlyTmpfs: true, ShmSize: 64 << 20, NoNewPrivileges: true,
	Network: "host", PID: "private", IPC: "private", Cgroup: "private",
	Pull: "missing", Runtime: "runc", StopTimeout: NotSet, Template: true, Payload: true, Update: noUpdate,
}

// form reads a value that is not empty.
type form[T any] func(n *scope, value string) (result T, warnings []error, err error)

// one is a key of which the last assignment counts; the empty one restores the
// default.
func one[T any](name string, read form[T], field func(*draft) *T) key {
	return key{name, func(d *draft, n *scope, value string) (warnings []error, err error) {
		if value == "" {
			defaults := draft{Container: unset}
			*field(d) = *field(&defaults)
			return nil, nil
		}
		result, warnings, err := read(n, value)
		if err == nil {
			*field(d) = result
		}
		return warnings, err
	}, true}
}

// many is a key of which every assignment adds to a list; the empty one empties it.
func many[T any](name string, read form[[]T], field func(*draft) *[]T) key {
	return key{name, func(d *draft, n *scope, value string) (warnings []error, err error) {
		if value == "" {
			*field(d) = nil
			return nil, nil
		}
		result, warnings, err := read(n, value)
		if list := field(d); *list == nil {
			*list = result
		} else {
			*list = append(*list, result...)
		}
		return warnings, err
	}, false}
}

// clearing makes the empty assignment a value: nothing, instead of the image's.
func clearing(k key) key {
	set := k.set
	k.set = func(d *draft, n *scope, value string) ([]error, error) {
		if value == "" {
			d.Entrypoint = []string{}
			return nil, nil
		}
		return set(d, n, value)
	}
	return k
}

// keyIndex is the place of a key in keys, -1 for none. Names differ in length and in
// their first letters: going through all of them costs less than a tree.
func keyIndex(name string) int {
	for i := range keys {
		if keys[i].name == name {
			return i
		}
	}
	return -1
}
