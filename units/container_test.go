package units

import (
	"encoding/json"
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// read decodes [Container] with an image, as the file web.syscontainer.
func read(t testing.TB, name, text string) (*Container, Problems, Problems) {
	t.Helper()
	n, err := ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	lines, _, refused := lex("web", "[Container]\nImage=q.io/a\n"+text)
	if refused != nil {
		t.Fatal(refused)
	}
	u := Unit{Name: n, Path: "web", Lines: lines}
	return u.Container()
}

// base is the container of read, with what set changes.
func base(set func(*Container)) *Container {
	c := unset
	c.Image = "q.io/a:latest"
	set(&c)
	return &c
}

// decodes compares what read makes of each text.
func decodes(t *testing.T, cases map[string]func(*Container)) {
	t.Helper()
	for text, set := range cases {
		got, errs, _ := read(t, "web", text)
		want := base(set)
		want.said = got.said // TestSets
		if len(errs) > 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v\n got %+v\nwant %+v", text, errs, got, want)
		}
	}
}

// refuses compares the errors of each text, word for word: they are what a person has
// to go on.
func refuses(t *testing.T, cases map[string]string) {
	t.Helper()
	for text, want := range cases {
		_, errs, warnings := read(t, "web", text)
		if errs.Error() != want || len(warnings) > 0 && !strings.Contains(text, "Image=") {
			t.Errorf("%q\n got %s\nwant %s\n%v", text, errs, want, warnings)
		}
	}
}

func TestContainer(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"":                                    func(c *Container) {},
		"Image=\nImage=\"q.io/%N:%i1\"":       func(c *Container) { c.Image = "q.io/web:1" },
		`Exec=find / -exec echo {} ';' "" %%`: func(c *Container) { c.Exec = []string{"find", "/", "-exec", "echo", "{}", ";", "", "%"} },
		"Privileged=yes\nSeccompProfile=/a": func(c *Container) {
			c.Privileged, c.AddCapability, c.Unmask, c.SELinux.Disable, c.SeccompProfile, c.AppArmor = true, []string{"all"}, []string{"ALL"}, true, "/a", "unconfined"
		},
		"Volatile=yes":                  func(c *Container) { c.Volatile = true },
		"Exec=a\nExec=":                 func(c *Container) {},
		`Exec=""`:                       func(c *Container) { c.Exec = []string{""} },
		`Exec=$HOME \; \d`:              func(c *Container) { c.Exec = []string{"$HOME", `\;`, `\d`} },
		"Entrypoint=":                   func(c *Container) { c.Entrypoint = []string{} },
		"Entrypoint=/bin/sh -c":         func(c *Container) { c.Entrypoint = []string{"/bin/sh", "-c"} },
		`Entrypoint=["/bin/sh", "a b"]`: func(c *Container) { c.Entrypoint = []string{"/bin/sh", "a b"} },
		`Environment=A=1 "B=2 3" A=4` + "\nEnvironment=C=%N D= 'E=a\\nb'": func(c *Container) {
			c.Environment = []string{"A=4", "B=2 3", "C=web", "D=", "E=a\nb"}
		},
		"Environment=A=1\nEnvironment=\nEnvironment=discovery.type=x": func(c *Container) { c.Environment = []string{"discovery.type=x"} },
		"User=app:www-data":     func(c *Container) { c.User = "app:www-data" },
		"User=0":                func(c *Container) { c.User = "0" },
		"WorkingDir=/a//b/./c/": func(c *Container) { c.WorkingDir = "/a/b/c" },
		"Volume=%S/x/:/y z:ro,rslave": func(c *Container) {
			c.Volumes = []Volume{{Source: "/var/lib/x", Target: "/y z", Options: []string{"ro", "rslave"}, Written: "%S/x/"}}
		},
		"Volume=/a:/b:z\nVolume=/:/host": func(c *Container) {
			c.Volumes = []Volume{{Source: "/a", Target: "/b", Written: "/a"}, {Source: "/", Target: "/host", Written: "/"}}
		},
		"Tmpfs=/t:size=50%,mode=0700,noexec\nTmpfs=/u": func(c *Container) {
			c.Tmpfs = []Tmpfs{{"/t", []string{"size=50%", "mode=0700", "noexec"}}, {Target: "/u"}}
		},
		"ReadOnly=no":            func(c *Container) { c.ReadOnly = false },
		"ReadOnly=no\nReadOnly=": func(c *Container) {},
		"AddCapability=net_admin CAP_SYS_TIME\nDropCapability=ALL": func(c *Container) {
			c.AddCapability, c.DropCapability = []string{"CAP_NET_ADMIN", "CAP_SYS_TIME"}, []string{"all"}
		},
		"Network=none\nHostName=%p.example": func(c *Container) { c.Network, c.HostName = "none", "web.example" },
		"Notify=true\nPull=never":           func(c *Container) { c.Notify, c.Pull = true, "never" },
		"Pull=newer":                        func(c *Container) { c.Pull = "always" },
		"Runtime=/opt/r-1.2/crun":           func(c *Container) { c.Runtime = "/opt/r-1.2/crun" },
		"StopSignal=int\nStopTimeout=90":    func(c *Container) { c.StopSignal, c.StopTimeout = "SIGINT", 90*time.Second },
		"Tmpfiles=d /var/lib/%N 0755 - - -\nTmpfiles=L+ %t/x - - - - /y": func(c *Container) {
			c.Tmpfiles = []string{"d /var/lib/web 0755 - - -", "L+ %t/x - - - - /y"}
		},
		"X-Note=anything\nNoNewPrivileges=yes": func(c *Container) {},
	})
}

func TestContainerErrors(t *testing.T) {
	refuses(t, map[string]string{
		"Image=busybox":          "web:3: Image=: image \"busybox\" names no registry\nhint: write the registry too, for example docker.io/library/busybox",
		"Image=":                 "web: Image= or Rootfs= is missing in [Container]",
		"Image=x.image":          "web:3: Image=: references to units of podman, such as \"x.image\", are not possible\nhint: name the image itself",
		`Exec=a "b`:              `web:3: Exec=: quote " is not closed`,
		`Exec=\xe9`:              `web:3: Exec=: "\xe9" is not valid UTF-8, and the runtime takes nothing else`,
		"Exec=date +%Y":          "web:3: Exec=: specifier %Y is not possible here: it would be a path of the generated service\nhint: write the path itself, or %%Y for a percent sign and Y",
		`Environment=A=\q`:       "web:3: Environment=: unknown escape \"\\\\q\"\nhint: write \\\\ for a backslash",
		"Environment=PATH":       "web:3: Environment=: \"PATH\" has no =\nhint: write PATH=value, or quotes around the whole assignment: \"KEY=some value\"",
		"Environment==x":         "web:3: Environment=: \"=x\" names no variable\nhint: the form is NAME=value, the name without blanks",
		"User=a b":               "web:3: User=: \"a b\" is no user\nhint: the form is USER or USER:GROUP, each a name or a number",
		"User=4294967295":        "web:3: User=: \"4294967295\" is no user\nhint: the form is USER or USER:GROUP, each a name or a number",
		"WorkingDir=a":           `web:3: WorkingDir=: "a" is no absolute path`,
		"Volume=/data":           "web:3: Volume=: \"/data\" has no source: volumes without a name are not possible\nhint: write the directory of the host too, for example Volume=/var/lib/web:/data",
		"Volume=/data:ro":        "web:3: Volume=: \"/data:ro\" has no source: volumes without a name are not possible\nhint: write the directory of the host too, for example Volume=/var/lib/web:/data",
		"Volume=db:/data":        "web:3: Volume=: source \"db\" is no absolute path\nhint: write a directory of the host: Volume=/var/lib/db:/data",
		"Volume=db.volume:/d:ro": "web:3: Volume=: source \"db.volume\" is no absolute path\nhint: write a directory of the host: Volume=/var/lib/db:/d:ro",
		"Volume=./x:/data":       "web:3: Volume=: \"./x\" is relative to the directory of the unit's file, which is not known\nhint: write an absolute path",
		"Volume=:/data":          "web:3: Volume=: \":/data\" has an empty source\nhint: the form is SOURCE:TARGET[:OPTIONS]",
		"Volume=/a:/b:ro:x":      "web:3: Volume=: \"/a:/b:ro:x\" has more than three parts\nhint: the form is SOURCE:TARGET[:OPTIONS]",
		"Volume=/a/../b:/c":      "web:3: Volume=: \"/a/../b\" has .. in it\nhint: for example /b",
		"Volume=/a:/":            "web:3: Volume=: a mount at / would hide the image",
		"Volume=/a:/b:ro,":       `web:3: Volume=: option "" is not possible`,
		"Volume=/a:/b:rosuid":    "web:3: Volume=: option \"rosuid\" is not possible\nhint: did you mean \"nosuid\"?",
		"Volume=/a:/b:U":         "web:3: Volume=: option U is not possible\nhint: give the directory its owner with Tmpfiles=d /a 0755 USER GROUP -",
		"Volume=/a\v:/b":         `web:3: Volume=: "/a\v" has a control character in it`,
		"Tmpfs=/a:size":          "web:3: Tmpfs=: option \"size\" is not possible\nhint: did you mean \"size=\"?",
		"Tmpfs=/a:size=,ro":      "web:3: Tmpfs=: option \"size=\" has a malformed value\nhint: for example size=64M",
		"ReadOnly=ture":          "web:3: ReadOnly=: \"ture\" is no boolean\nhint: write yes or no",
		"AddCapability=NET_ADMN": "web:3: AddCapability=: \"NET_ADMN\" is no capability\nhint: did you mean \"CAP_NET_ADMIN\"?",
		"HostName=a..b":          "web:3: HostName=: \"a..b\" is no host name\nhint: at most 64 letters, digits, - and .",
		"Notify=healthy":         "web:3: Notify=: \"healthy\" is not possible, there are no health checks\nhint: let the payload send READY=1, and set WatchdogSec= in [Service]",
		"Runtime=crun --x":       "web:3: Runtime=: \"crun --x\" is no program\nhint: for example \"crun\" or \"/usr/local/bin/runc\"",
		"Runtime=%i":             "web:3: Runtime=: \"%i\" is no program\nhint: for example \"crun\" or \"/usr/local/bin/runc\"",
		"StopSignal=SIGFOO":      "web:3: StopSignal=: \"SIGFOO\" is no signal\nhint: for example \"SIGTERM\" or \"SIGRTMIN+3\"",
		"StopTimeout=5S":         "web:3: StopTimeout=: \"5S\" is no time span\nhint: for example \"30\", \"30s\" or \"1min 30s\"",
		"Tmpfiles=y /a":          "web:3: Tmpfiles=: \"y\" is no type of tmpfiles.d(5)\nhint: the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)",
		"Tmpfiles=d a":           "web:3: Tmpfiles=: \"d a\" names no absolute path\nhint: the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)",
		"Tmpfiles=d /a rx":       "web:3: Tmpfiles=: invalid mode \"rx\"\nhint: the form is TYPE PATH [MODE USER GROUP AGE ARGUMENT], see tmpfiles.d(5)",
		"PublishPort=80:80":      "web:3: PublishPort= needs Network=bridge\nhint: write Network=bridge; with Network=host, every port that the payload opens is the machine's",
		"NoNewPrivileges=enable": "web:3: NoNewPrivileges=: \"enable\" is no boolean\nhint: write yes or no",
		"AddCapability=KILL\nDropCapability=kill": `web:4: "KILL" stands in AddCapability= and in DropCapability=`,
		// All of them, not the first.
		"ReadOnly=x\nPull=y\nImage=z": "web:3: ReadOnly=: \"x\" is no boolean\nhint: write yes or no\n" +
			"web:4: Pull=: \"y\" is not possible\nhint: write \"missing\", \"never\", \"always\" or \"newer\"\n" +
			"web:5: Image=: image \"z\" names no registry\nhint: write the registry too, for example docker.io/library/z",
	})
}

func TestContainerWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"Imgae=x":           "web:3: unknown key \"Imgae=\" in [Container], ignoring\nhint: did you mean \"Image=\"?",
		"image=x":           "web:3: unknown key \"image=\" in [Container], ignoring\nhint: did you mean \"Image=\"?",
		"Restart=always":    "web:3: unknown key \"Restart=\" in [Container], ignoring\nhint: does it belong into [Service]?",
		"Bogus=1":           `web:3: unknown key "Bogus=" in [Container], ignoring`,
		"Exec=a\nExec=b":    "web:4: Exec= is set again, the line before is ignored",
		`Exec=a\d`:          "web:3: Exec=: unknown escape \"\\\\d\" stays as it is\nhint: write \\\\ for a backslash",
		"Volume=/a:/b:ro,Z": "web:3: Volume=: option Z is ignored: SELinux labels are not changed",
		"Retry=3":           "web:3: Retry= of Quadlet is not possible, ignoring\nhint: a fetch is repeated by itself",
	} {
		_, errs, warnings := read(t, "web", text)
		if warnings.Error() != want || len(errs) > 0 {
			t.Errorf("%q\n got %s\nwant %s\n%v", text, warnings, want, errs)
		}
	}
}

// What is wrong with a key points at the key, what is wrong with a value at the value.
func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"  Bogus=1": 3, "\tUser = a b": 9, "Exec=a\n Exec=b": 2, "Group=x": 1, "LogOpt=x": 1, "Network=\\\n x": 0,
		"User=a:b\n  Group=x": 3, "Volume=/a:/b:Z": 8} {
		_, errs, warnings := read(t, "web", text)
		if all := append(errs, warnings...); len(all) != 1 || all[0].Column != want {
			t.Errorf("%q: %+v, want column %d", text, all, want)
		}
	}
}

// Colons, commas and .. in an instance's name stay where the specifier stood.
func TestInstanceIsNoSyntax(t *testing.T) {
	c, errs, _ := read(t, `web@a:b`, "Volume=/srv/%i:/data\nExec=run %I\nEnvironment=N=%i")
	if len(errs) > 0 || c.Volumes[0].Source != "/srv/a:b" || c.Volumes[0].Target != "/data" || !reflect.DeepEqual(c.Exec, []string{"run", "a:b"}) {
		t.Errorf("%+v %v", c, errs)
	}
	if _, errs, _ = read(t, "web@..", "Volume=/srv/%i:/data"); len(errs) != 1 {
		t.Error("an instance led out of /srv: ", errs)
	}
	if _, errs, _ = read(t, `web@a\x0ab`, "Volume=/srv/%I:/data"); len(errs) != 1 {
		t.Error("an instance made a second line: ", errs)
	}
	if c, errs, _ = read(t, `web@a\x20b`, "Exec=x %I"); len(errs) > 0 || len(c.Exec) != 2 || c.Exec[1] != "a b" {
		t.Error("an instance was split: ", c.Exec, errs)
	}
}

func TestReadGenerated(t *testing.T) {
	text := "[Unit]\nImage=no\n[X-Container]\nImage=q.io/%p:%i\nExec=a \"b c\"\nUnknown=1\n[Service]\nExecStart=x\n"
	c, err := ReadGenerated(strings.NewReader(text), "web@blue.service", nil)
	if err != nil || c.Image != "q.io/web:blue" || len(c.Exec) != 2 {
		t.Errorf("%+v %v", c, err)
	}
	for text, want := range map[string]string{
		"":                             "web.service: Image= or Rootfs= is missing in [Container]",
		"[X-Container]\nImage=q.io/a:": "web.service:2: Image=: image \"q.io/a:\" has a malformed tag",
		"[X-Container":                 "web.service:1: section header",
	} {
		if _, err := ReadGenerated(strings.NewReader(text), "web.service", nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadGenerated(strings.NewReader(text), "../web.service", nil); err == nil {
		t.Error("a path is no name")
	}
}

// Every key of the manual is a key of the table, and the other way round.
func TestQuadletKeysAreNotOurs(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.name] {
			t.Error(k.name, " stands twice")
		}
		seen[k.name] = true
	}
	for _, q := range quadletKeys {
		for _, name := range strings.Fields(q.names) {
			if seen[name] {
				t.Error(name, " stands twice")
			}
			seen[name] = true
		}
	}
	if len(seen) < 94 {
		t.Error(len(seen), " keys known, Quadlet has 94")
	}
}

// What only a start knows is made up before, so that the rest of a value is checked.
func TestHostSpecifiers(t *testing.T) {
	text := "Exec=x"
	for i := range len(HostSpecifiers) {
		text += " %" + HostSpecifiers[i:i+1]
	}
	c, errs, _ := read(t, "web", text+"\nHostName=%l-x\nVolume=/srv/%m/%b:/y\nImage=q.io/%o:%w\nTimezone=%H")
	if len(errs) > 0 || len(c.Exec) != len(HostSpecifiers)+1 || c.Image != "q.io/debian:12" {
		t.Errorf("%+v %v", c, errs)
	}
	if _, errs, _ = read(t, "web", "HostName=%l..x"); len(errs) != 1 {
		t.Error("not checked before the start: ", errs)
	}
	service := "[X-Container]\nImage=q.io/a\nExec=\"%H %m\" %d\n"
	c, err := ReadGenerated(strings.NewReader(service), "web.service", func(specifier byte) (string, error) { return "<" + string(rune(specifier)) + "  >", nil })
	if err != nil || !reflect.DeepEqual(c.Exec, []string{"<H  > <m  >", "/run/credentials/web.service"}) {
		t.Errorf("%+v %v", c, err)
	}
	_, err = ReadGenerated(strings.NewReader(service), "web.service", func(specifier byte) (string, error) { return "", errors.New("no machine-id") })
	if err == nil || err.Error() != "web.service:3: Exec=: specifier %H: no machine-id" {
		t.Error(err)
	}
	// Such text is no more syntax than an instance's name.
	hostile := func(byte) (string, error) { return "/..:x,\"y\nz", nil }
	for _, text := range []string{"Volume=/a%H:/b", "HostName=%H", "User=%H", "Timezone=%H", "AddHost=%H:1.2.3.4", "Mount=type=bind,src=/a%H,dst=/b", "Tmpfs=/a%H",
		"ConfigPatch={\"a\":\"%H\"}", "Mask=/%H", "EnvironmentFile=%H", "Rootfs=/%H", "GroupAdd=%H", "Annotation=%H=x", "Sysctl=net.%H=1", "DNS=%H", "AddDevice=/dev/%H"} {
		if c, err := ReadGenerated(strings.NewReader("[X-Container]\nImage=q.io/a\n"+text+"\n"), "web.service", hostile); err == nil {
			t.Errorf("%s: %+v", text, c)
		}
	}
}

func TestStartOnly(t *testing.T) {
	template, _ := ParseName("web@")
	instance, _ := ParseName("web@a")
	for value, want := range map[string][2]bool{"": {}, "%p %t %S %%i %%H 5%": {}, "a%H": {true, true}, "%m": {true, true}, "%i": {true, false}, "%d%N": {true, false}, "%%%I": {true, false}} {
		if template.StartOnly(value) != want[0] || instance.StartOnly(value) != want[1] {
			t.Errorf("%q: want %v", value, want)
		}
	}
}

// Whatever a file says: no panic, and of a container without errors its fields keep
// what struct Container promises.
func FuzzContainer(f *testing.F) {
	f.Add("web@a", "Exec=a \"b\" %i\nVolume=/a:/b:ro\nTmpfs=/t:size=1M\nTmpfiles=d /a\nUser=a:b")
	f.Add("web", "Entrypoint=[\"a\"]\nEnvironment=A=\\x41\nStopSignal=1\nStopTimeout=1h30\nHostName=x\nRuntime=crun")
	f.Add("web@", "ContainerName=%p-%i\nNetwork=db@%i.syscontainer\nPID=ns:/a\nEnvironmentFile=-x %H\nVolume=./a:/b\nVolume=db.syscontainer/a:/b\nMask=/a:/b\nUnmask=ALL")
	f.Add("web", "GroupAdd=1 a\nUIDMap=0:1:2 5:6\nUlimit=nofile=1:2\nSysctl=kernel.sem=1\nAddDevice=-/dev/a:/dev/b:r\nShmSize=1.5g\nMemory=1K\nPidsLimit=0\nTimezone=a/b")
	f.Add("web@b", "Rootfs=/a:O\nImage=\nAddHost=a;b:::1\nDNS=1.2.3.4\nDNSSearch=.\nLabel=a=b\nCredential=a:%d/b\nConfigPatch={\"a\":\"%i\"}\nRuntimeArgs=--debug\nSet=A=B\nExport=/a")
	f.Add("web", "Mount=type=bind,src=/a,dst=/b\nSeccompProfile=a\nAppArmor=b\nSecurityLabelLevel=s0\nReloadCmd=a b\nServiceName=x\nExport=yes\nPropagation=slave\nCgroup=host")
	f.Add("web@", "AutoUpdate=local\n[Update]\nAuto=registry\nWindow=Sat..Mon,Wed 22:00-06:00\nHealthExec=a %i\nHealthExecHost=/a \"b\"\nGroup=g-%i\nKeep=1\nKeepDays=3\nHealthySec=1min\nRateLimit=1K\nRemoveFirst=yes\nHold=1")
	f.Fuzz(func(t *testing.T, name, text string) {
		n, err := ParseName(name)
		if err != nil {
			return
		}
		lines, _, refused := lex("web", "[Container]\nImage=q.io/a\n"+text)
		if refused != nil {
			return
		}
		u := Unit{Name: n, Stem: n, Path: "/etc/containers/systemd/web", Lines: lines}
		u.rename()
		c, errs, _ := u.Container()
		for _, p := range append(errs, c.Update.Errors...) {
			if p.Line < 0 || p.Column < 0 || !utf8.ValidString(p.Error()) || strings.ContainsFunc(strings.Replace(p.Error(), "\nhint: ", "", 1), func(r rune) bool { return r < ' ' }) {
				t.Fatalf("%+v", p)
			}
		}
		if len(errs) > 0 {
			return
		}
		host := []string{c.WorkingDir, c.Rootfs}
		inside := []string{}
		for _, v := range c.Volumes {
			host, inside = append(host, v.Source), append(inside, v.Target)
		}
		for _, m := range c.Mounts {
			host, inside = append(host, m.Source), append(inside, m.Target)
		}
		for _, m := range c.Tmpfs {
			inside = append(inside, m.Target)
		}
		for _, d := range c.Devices {
			host, inside = append(host, d.Source), append(inside, d.Target)
		}
		for _, e := range c.EnvironmentFiles {
			host = append(host, e.Path)
		}
		for _, p := range c.ConfigPatches {
			if host = append(host, p.File); p.File == "" && !json.Valid([]byte(p.JSON)) {
				t.Fatalf("%+v", p)
			}
		}
		if c.SeccompProfile != "unconfined" && c.SeccompProfile != BuiltinSeccomp {
			host = append(host, c.SeccompProfile)
		}
		for _, p := range slices.Concat(host, inside, c.Mask) {
			if p != "" && (p[0] != '/' || p != path.Clean(p) || hasControl(p) || !utf8.ValidString(p)) {
				t.Fatalf("path %q", p)
			}
		}
		if slices.Contains(inside, "/") || slices.Contains(inside, "") {
			t.Fatalf("%q", inside)
		}
		if strings.ContainsAny(c.Runtime+c.StopSignal+c.ReloadSignal+c.Timezone+c.Name+c.Propagation, " \t\n$;\"'\\") || strings.Contains(c.Runtime, "%") || c.Name != "" && !n.Template && !onlyBytes(c.Name, "_.-") {
			t.Fatalf("%+v", c)
		}
		if c.Memory < 0 || c.ShmSize < 0 || c.PidsLimit < -1 || (c.UIDMap == nil) != (c.GIDMap == nil) || c.ReloadCmd != nil && c.ReloadSignal != "" || (c.Image == "") == (c.Rootfs == "") {
			t.Fatalf("%+v", c)
		}
		for _, a := range c.RuntimeArgs {
			if a[0] != '-' {
				t.Fatal(a)
			}
		}
		for _, s := range slices.Concat(c.Sysctl, c.DNS, c.DNSOption, c.DNSSearch) {
			if hasControl(s) {
				t.Fatalf("%q", s)
			}
		}
	})
}
