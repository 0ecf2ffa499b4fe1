package units

import (
	"encoding/csv"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestMount(t *testing.T) {
	one := func(m Mount) func(*Container) { return func(c *Container) { c.Mounts = []Mount{m} } }
	decodes(t, map[string]func(*Container){
		"Mount=type=bind,source=/a,target=/b":            one(Mount{"bind", "/a", "/b", nil, "/a"}),
		"Mount=src=%S/x,dst=/b/,ro=true,type=bind":       one(Mount{"bind", "/var/lib/x", "/b", []string{"ro"}, "%S/x"}),
		"Mount=type=bind,destination=/b,readonly,nosuid": one(Mount{"bind", "/b", "/b", []string{"ro", "nosuid"}, "/b"}),
		"Mount=type=bind,src=/a,dst=/b,idmap":            one(Mount{"bind", "/a", "/b", []string{"idmap"}, "/a"}),
		"Mount=type=bind,src=/a,dst=/b,rw=false":         one(Mount{"bind", "/a", "/b", []string{"ro"}, "/a"}),
		"Mount=type=bind,src=/a,dst=/b,ro=no":            one(Mount{"bind", "/a", "/b", []string{"rw"}, "/a"}),
		"Mount=type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-nonrecursive,consistency=cached,U=false": one(
			Mount{"bind", "/a", "/b", []string{"rslave", "bind"}, "/a"}),
		`Mount=type=bind,"source=/a,""b"" c",target=/d`: one(Mount{"bind", `/a,"b" c`, "/d", nil, `/a,"b" c`}),
		`Mount="type=bind,source=/a b,target=/c"`:       one(Mount{"bind", "/a b", "/c", nil, "/a b"}),
		`Mount='type=bind,source=/a b,target=/c'`:       one(Mount{"bind", "/a b", "/c", nil, "/a b"}),
		"Mount=type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1777,noexec,notmpcopyup": one(
			Mount{"tmpfs", "", "/t", []string{"size=64m", "mode=1777", "noexec"}, ""}),
		"Mount=type=tmpfs,src=tmpfs,target=/t,ro":                one(Mount{"tmpfs", "", "/t", []string{"ro"}, ""}),
		"Mount=type=devpts,target=/dev/pts,mode=620,newinstance": one(Mount{"devpts", "", "/dev/pts", []string{"mode=620", "newinstance"}, ""}),
		"Mount=type=glob,src=/usr/lib/libx*,target=/opt,ro":      one(Mount{"glob", "/usr/lib/libx*", "/opt", []string{"ro"}, "/usr/lib/libx*"}),
		"Mount=type=glob,src=/usr/lib/libx*":                     one(Mount{"glob", "/usr/lib/libx*", "/usr/lib", nil, "/usr/lib/libx*"}),
		"Mount=type=bind,src=/a,dst=/b\nMount=type=tmpfs,dst=/c": func(c *Container) {
			c.Mounts = []Mount{{"bind", "/a", "/b", nil, "/a"}, {Type: "tmpfs", Target: "/c"}}
		},
		"Mount=type=tmpfs,dst=/c\nMount=": func(c *Container) {},
	})
	refuses(t, map[string]string{
		"Mount=source=/a,target=/b":                        "web:3: Mount=: type= is missing, and podman's default, volume, is not possible\nhint: write type=bind,source=PATH,target=PATH, or type=tmpfs,target=PATH",
		"Mount=type=volume,source=x,target=/b":             "web:3: Mount=: type=volume is not possible: there are no volumes\nhint: write type=bind,source=/var/lib/web,target=PATH",
		"Mount=type=image,source=x,target=/b":              "web:3: Mount=: type=image is not possible: an image is mounted at / only",
		"Mount=type=artifact,source=x":                     "web:3: Mount=: type=artifact is not possible: an image is mounted at / only",
		"Mount=type=ramfs,target=/b":                       "web:3: Mount=: type=ramfs is not possible\nhint: write type=tmpfs",
		"Mount=type=nfs,target=/b":                         "web:3: Mount=: type=\"nfs\" is not possible\nhint: write type=bind, glob, tmpfs or devpts",
		"Mount=type=bind,type=tmpfs":                       "web:3: Mount=: type= is set twice",
		"Mount=type=bind,src=/a":                           "web:3: Mount=: the target is missing\nhint: write target=PATH",
		"Mount=type=bind,src=/a,source=/b,dst=/c":          `web:3: Mount=: "source" is set twice`,
		"Mount=type=bind,src=/a,dst=/b,ro,rw":              `web:3: Mount=: "rw" is set twice`,
		"Mount=type=bind,src=,dst=/c":                      "web:3: Mount=: \"src=\" has no path\nhint: write src=PATH",
		"Mount=type=bind,src=data,dst=/c":                  "web:3: Mount=: source \"data\" is no absolute path\nhint: write a directory of the host: source=/var/lib/data",
		"Mount=type=bind,src=/a,dst=/":                     "web:3: Mount=: a mount at / would hide the image",
		"Mount=type=bind,src=/a,dst=/b/../c":               "web:3: Mount=: \"/b/../c\" has .. in it\nhint: for example /c",
		"Mount=type=bind,src=/a,dst=/b,ro=maybe":           "web:3: Mount=: \"ro=maybe\" is no boolean\nhint: write ro or ro=false",
		"Mount=type=bind,src=/a,dst=/b,nosiud":             "web:3: Mount=: option \"nosiud\" is not possible\nhint: did you mean \"nosuid\"?",
		"Mount=type=bind,src=/a,dst=/b,tmpfs-size=1":       "web:3: Mount=: option \"tmpfs-size=1\" is not possible\nhint: did you mean \"tmpfs-size=\"?",
		"Mount=type=bind,src=/a,dst=/b, ro":                "web:3: Mount=: \"type=bind,src=/a,dst=/b, ro\" has a blank outside of quotes\nhint: write quotes around the item: \"source=/some path\"",
		"Mount=type=bind,src=/a,dst=/b,":                   `web:3: Mount=: option "" is not possible`,
		"Mount=type=bind,src=/a,dst=/b,U":                  "web:3: Mount=: option U is not possible\nhint: give the directory its owner with Tmpfiles=d /a 0755 USER GROUP -",
		"Mount=type=bind,src=/a,dst=/b,idmap=uids=0-1-1":   "web:3: Mount=: option \"idmap=uids=0-1-1\" is not possible",
		"Mount=type=bind,src=/a,dst=/b,relabel=x":          "web:3: Mount=: \"relabel=x\" is not possible\nhint: write relabel=shared or relabel=private",
		"Mount=type=bind,src=/a,dst=/b,bind-propagation=x": "web:3: Mount=: propagation \"x\" is not possible\nhint: write private, rprivate, shared, rshared, slave, rslave, unbindable or runbindable",
		`Mount=type=bind,src="/a",dst=/b`:                  "web:3: Mount=: \"type=bind,src=\\\"/a\\\",dst=/b\" has a quote in the wrong place\nhint: quotes stand around a whole item: type=bind,\"source=/a,b\",target=/c",
		`Mount=type=bind,"src=/a`:                          "web:3: Mount=: \"type=bind,\\\"src=/a\" has a quote in the wrong place\nhint: quotes stand around a whole item: type=bind,\"source=/a,b\",target=/c",
		"Mount=type=tmpfs,src=/a,dst=/b":                   "web:3: Mount=: a tmpfs has no source\nhint: remove it",
		"Mount=type=tmpfs,dst=/b,tmpfs-size=":              `web:3: Mount=: option "size=" has a malformed value`,
		"Mount=type=tmpfs,dst=/b,tmpfs-mode=0,uid=a,b":     "web:3: Mount=: option \"b\" is not possible",
		"Mount=type=devpts,dst=/b,ro":                      `web:3: Mount=: option "ro" is not possible`,
		"Mount=type=glob,dst=/b":                           "web:3: Mount=: the source is missing\nhint: write source=PATTERN",
		"Mount=type=glob,src=/a/*/b":                       "web:3: Mount=: the target is missing, and the source has a pattern before its last part\nhint: write target=DIRECTORY",
		"Mount=type=glob,src=/*":                           "web:3: Mount=: a mount at / would hide the image",
		"Mount=type=glob,src=/a[,dst=/b":                   "web:3: Mount=: \"/a[\" is no pattern of paths\nhint: see glob(7)",
	})
	_, errs, warnings := read(t, "web", "Mount=type=bind,src=/a,dst=/b,relabel=shared,Z")
	if want := "web:3: Mount=: option relabel=shared is ignored: SELinux labels are not changed\nweb:3: Mount=: option Z is ignored: SELinux labels are not changed"; len(errs) > 0 || warnings.Error() != want {
		t.Error(errs, warnings)
	}
}

// readIn is read for a file in /etc/my%dir, as its container is seen at a start.
func readIn(t *testing.T, text string) (*Container, error) {
	t.Helper()
	return ReadGenerated(strings.NewReader("[Unit]\nSourcePath=/etc/my%%dir/web.syscontainer\n[X-Container]\nImage=q.io/a\n"+text), "web.service",
		func(byte) (string, error) { return "start", nil })
}

func TestRelativePaths(t *testing.T) {
	for text, want := range map[string]any{
		"Volume=./x:/y":                    []Volume{{Source: "/etc/my%dir/x", Target: "/y", Written: "/etc/my%%dir/x"}},
		"Volume=../x/%N:/y:ro":             []Volume{{Source: "/etc/x/web", Target: "/y", Options: []string{"ro"}, Written: "/etc/x/%N"}},
		"Volume=.:/y":                      []Volume{{Source: "/etc/my%dir", Target: "/y", Written: "/etc/my%%dir/"}},
		"Volume=../../../../x:/y":          []Volume{{Source: "/x", Target: "/y", Written: "/x"}},
		"Volume=/%m:/y":                    []Volume{{Source: "/start", Target: "/y", Written: "/%m"}},
		"Mount=type=bind,src=./x,dst=/y":   []Mount{{"bind", "/etc/my%dir/x", "/y", nil, "/etc/my%%dir/x"}},
		"Mount=type=glob,src=x*,dst=/y":    []Mount{{"glob", "/etc/my%dir/x*", "/y", nil, "/etc/my%%dir/x*"}},
		"EnvironmentFile=a -b/c \"-/d e\"": []EnvironmentFile{{"/etc/my%dir/a", false}, {"/etc/my%dir/b/c", true}, {"/d e", true}},
		"EnvironmentFile=%H.env":           []EnvironmentFile{{"/etc/my%dir/start.env", false}},
		"SeccompProfile=p.json":            "/etc/my%dir/p.json",
		"ConfigPatch=p.json":               []ConfigPatch{{File: "/etc/my%dir/p.json"}},
	} {
		c, err := readIn(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got any
		switch want.(type) {
		case []Volume:
			got = c.Volumes
		case []Mount:
			got = c.Mounts
		case []EnvironmentFile:
			got = c.EnvironmentFiles
		case []ConfigPatch:
			got = c.ConfigPatches
		default:
			got = c.SeccompProfile
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", text, got, want)
		}
	}
	for _, text := range []string{"Volume=./a/../b:/y", "EnvironmentFile=a/../b", "EnvironmentFile=-", "EnvironmentFile=\"\"", "ConfigPatch=\"\""} {
		if c, err := readIn(t, text); err == nil {
			t.Errorf("%s: %+v", text, c)
		}
	}
}

func TestVolumeOfAnotherContainer(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"Volume=db.syscontainer/data//x:/y:ro": func(c *Container) {
			c.Volumes = []Volume{{Source: "/data/x", Target: "/y", Options: []string{"ro"}, From: "db"}}
		},
		"Volume=db@%p.syscontainer/:/y": func(c *Container) { c.Volumes = []Volume{{Source: "/", Target: "/y", From: "db@web"}} },
		// A directory of that name is none of ours.
		"Volume=/a/db.syscontainer/x:/y": func(c *Container) {
			c.Volumes = []Volume{{Source: "/a/db.syscontainer/x", Target: "/y", Written: "/a/db.syscontainer/x"}}
		},
	})
	refuses(t, map[string]string{
		"Volume=db.syscontainer:/y":      "web:3: Volume=: source \"db.syscontainer\" is no absolute path\nhint: write a directory of the host: Volume=/var/lib/db:/y",
		"Volume=db.syscontainer/../x:/y": "web:3: Volume=: \"/../x\" has .. in it\nhint: for example /x",
		"Volume=d b.syscontainer/x:/y":   "web:3: Volume=: \"d b\" is no unit name\nhint: letters, digits and :-_.\\@ may stand in the name of a unit",
		"Volume=db@.syscontainer/x:/y":   "web:3: Volume=: \"db@.syscontainer\" is a template, and no container runs of it\nhint: write db@INSTANCE.syscontainer",
		"Volume=db-%H.syscontainer/x:/y": `web:3: Volume=: specifier %H is not possible in a name`,
		"Volume=/a:/b:/c":                `web:3: Volume=: option "/c" is not possible`,
	})
	if c, errs, _ := read(t, "web@", "Volume=db@%i.syscontainer/x:/y"); len(errs) > 0 || c.Volumes[0].From != "db@%i" {
		t.Error(c.Volumes, errs)
	}
	if _, err := readIn(t, "Volume=db.syscontainer/x:/y"); err == nil || !strings.HasPrefix(err.Error(), `web.service:5: Volume=: the path in the container of "db" was not replaced`) {
		t.Error(err)
	}
}

func TestDevices(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"AddDevice=/dev/fuse": func(c *Container) { c.Devices = []Device{{"/dev/fuse", "/dev/fuse", "rwm", false}} },
		"AddDevice=-/dev/a:r /dev/b:/dev/c": func(c *Container) {
			c.Devices = []Device{{"/dev/a", "/dev/a", "r", true}, {"/dev/b", "/dev/c", "rwm", false}}
		},
		"AddDevice=/dev/b:/dev/%N:mw":  func(c *Container) { c.Devices = []Device{{"/dev/b", "/dev/web", "mw", false}} },
		"AddDevice=/dev/a\nAddDevice=": func(c *Container) {},
	})
	const form = "\nhint: the form is [-]SOURCE[:TARGET][:ACCESS], for example /dev/ttyUSB0:/dev/modem:rw"
	const access = "\nhint: letters of rwm, each once: read, write, make"
	refuses(t, map[string]string{
		"AddDevice=fuse":               `web:3: AddDevice=: "fuse" is no absolute path`,
		"AddDevice=-":                  `web:3: AddDevice=: "" is no absolute path`,
		"AddDevice=/":                  `web:3: AddDevice=: "/" is no device` + form,
		"AddDevice=/dev/a:/":           `web:3: AddDevice=: a mount at / would hide the image`,
		"AddDevice=/dev/a:x":           `web:3: AddDevice=: "x" is no access to a device` + access,
		"AddDevice=/dev/a:rr":          `web:3: AddDevice=: "rr" is no access to a device` + access,
		"AddDevice=/dev/a:":            `web:3: AddDevice=: "" is no access to a device` + access,
		"AddDevice=/dev/a:/dev/b:":     `web:3: AddDevice=: "" is no access to a device` + access,
		"AddDevice=/dev/a:b:r":         `web:3: AddDevice=: "b" is no absolute path`,
		"AddDevice=/dev/a:/b:r:w":      `web:3: AddDevice=: "/dev/a:/b:r:w" has more than three parts` + form,
		"AddDevice=/dev/../etc/passwd": "web:3: AddDevice=: \"/dev/../etc/passwd\" has .. in it\nhint: for example /etc/passwd",
		"AddDevice=vendor.com/gpu=0":   "web:3: AddDevice=: \"vendor.com/gpu=0\" is a device of CDI, and there is none here\nhint: name the device node itself: /dev/…",
	})
}

func FuzzMount(f *testing.F) {
	f.Add(`type=bind,"source=/a,""b""",target=/c,ro=true`)
	f.Add(`type=glob,src=/usr/lib/[a-z]*`)
	f.Add(`"type=tmpfs,dst=/t,tmpfs-size=1m"`)
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.Trim(s, white)
		if s == "" || strings.ContainsAny(s, "\n\r\x00") {
			return
		}
		record, err := csv.NewReader(strings.NewReader(s)).Read() // what podman uses
		if items, ours := splitItems(s); (err == nil) != (ours == nil) || err == nil && !slices.Equal(items, record) {
			t.Errorf("%q: %q %v, CSV has %q %v", s, items, ours, record, err)
		}
		n, _ := ParseName("web")
		mounts, _, err := mountForm(&scope{Name: n, dir: "/etc"}, s)
		if err != nil {
			return
		}
		for _, m := range mounts {
			if m.Target == "/" || m.Target[0] != '/' || strings.Contains(m.Target+"/", "/../") || hasControl(m.Target+m.Source) ||
				m.Source != "" && (m.Source[0] != '/' || strings.Contains(m.Source+"/", "/../")) || (m.Source == "") != (m.Type == "tmpfs" || m.Type == "devpts") {
				t.Errorf("%q: %+v", s, m)
			}
			for _, option := range m.Options {
				if strings.ContainsAny(option, ", \t\"'\\") || option == "" {
					t.Errorf("%q: option %q", s, option)
				}
			}
		}
	})
}
