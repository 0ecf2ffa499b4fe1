package units

import (
	"reflect"
	"testing"
)

// samples are a value for each key that is not its default.
var samples = map[string]string{
	"Image": "q.io/b", "Rootfs": "/srv", "ContainerName": "x", "ServiceName": "x", "Exec": "a b", "Entrypoint": "/bin/sh", "Environment": "A=1",
	"EnvironmentFile": "/etc/a", "EnvironmentHost": "yes", "HttpProxy": "on", "User": "a", "Group": "b", "GroupAdd": "c", "WorkingDir": "/w", "RunInit": "1", "Systemd": "yes",
	"Volume": "/a:/b", "Mount": "type=bind,src=/a,dst=/c", "Tmpfs": "/t", "ReadOnly": "no", "ReadOnlyTmpfs": "no", "Volatile": "yes", "ShmSize": "1g", "Timezone": "local",
	"AddDevice": "/dev/a", "Propagation": "shared", "Privileged": "yes", "AddCapability": "KILL", "DropCapability": "all", "NoNewPrivileges": "no", "SeccompProfile": "unconfined",
	"AppArmor": "p", "SecurityLabelType": "t", "SecurityLabelLevel": "s0", "SecurityLabelFileType": "f", "SecurityLabelDisable": "yes", "SecurityLabelNested": "yes",
	"Mask": "/m", "Unmask": "ALL", "Sysctl": "kernel.sem=1", "Ulimit": "core=0", "UIDMap": "0:1:2", "GIDMap": "0:1:2", "UserNS": "auto", "Network": "none",
	"PublishPort": "80:80", "IP": "10.90.0.7", "IP6": "fd00::7",
	"PID": "host", "IPC": "ns:/a", "UTS": "private", "Cgroup": "host", "HostName": "h", "DNS": "::1", "DNSOption": "rotate", "DNSSearch": "a.b", "AddHost": "a:::1",
	"Notify": "yes", "Pull": "never", "Runtime": "crun", "RuntimeArgs": "--debug", "StopSignal": "INT", "StopTimeout": "1", "ReloadCmd": "r", "ReloadSignal": "HUP",
	"Memory": "1m", "PidsLimit": "5", "Annotation": "a=b", "Label": "a=b", "Credential": "c", "Directories": "yes", "ConfigPatch": "{}", "Tmpfiles": "d /a", "Template": "no", "Set": "A=B", "Export": "yes",
	"Payload": "no", "AutoUpdate": "registry",
}

// The empty assignment takes back what was said before, in the same file or another.
func TestEmptyAssignment(t *testing.T) {
	plain, _, _ := read(t, "web", "")
	for _, k := range keys {
		value, known := samples[k.name]
		if !known {
			t.Errorf("%s= has no sample", k.name)
			continue
		}
		around := "" // what the key needs beside it, or must not have
		switch k.name {
		case "Group":
			around = "User=a\n"
		case "PublishPort", "IP", "IP6":
			around = "Network=bridge\n"
		case "Rootfs":
			around = "Image=\n"
		}
		set, errs, warnings := read(t, "web", around+k.name+"="+value)
		if len(errs) > 0 || len(warnings) > 0 && k.name != "Image" {
			t.Errorf("%s=%s: %v %v", k.name, value, errs, warnings)
		}
		set.said = plain.said
		if same := reflect.DeepEqual(set, plain); same != (k.name == "ServiceName") { // which Load reads
			t.Errorf("%s=%s: nothing comes of it", k.name, value)
		}
		if k.name == "Rootfs" || k.name == "Image" {
			continue // one of them must stay
		}
		without, errs, _ := read(t, "web", around+k.name+"="+value+"\n"+k.name+"=")
		want, _, _ := read(t, "web", around)
		if k.name == "Entrypoint" {
			want.Entrypoint = []string{} // nothing, instead of the image's
		}
		if len(errs) > 0 || !reflect.DeepEqual(without, want) {
			t.Errorf("%s=%s and %s=: %v\n got %+v\nwant %+v", k.name, value, k.name, errs, without, want)
		}
	}
}

func TestBooleans(t *testing.T) {
	for _, name := range []string{"EnvironmentHost", "HttpProxy", "RunInit", "Systemd", "ReadOnly", "ReadOnlyTmpfs", "Volatile", "Privileged", "NoNewPrivileges", "SecurityLabelDisable", "SecurityLabelNested", "Notify", "Directories", "Template", "Payload"} {
		refuses(t, map[string]string{name + "=ture": "web:3: " + name + "=: \"ture\" is no boolean\nhint: write yes or no"})
	}
}
