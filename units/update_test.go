package units

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestUpdate(t *testing.T) {
	changed := func(set func(*Update)) func(*Container) {
		return func(c *Container) { set(&c.Update) }
	}
	decodes(t, map[string]func(*Container){
		"[Update]":                                         func(*Container) {},
		"[Update]\nAuto=registry\nX-Note=a":                changed(func(u *Update) { u.Auto = "registry" }),
		"[Update]\nAuto=registry\nAuto=":                   func(*Container) {},
		"AutoUpdate=registry":                              changed(func(u *Update) { u.Auto = "registry" }),
		"AutoUpdate=image\n[Update]\nHold=yes":             changed(func(u *Update) { u.Auto, u.Hold = "registry", true }),
		"[Update]\nAuto=no\n[Container]\nAutoUpdate=local": func(*Container) {},
		"AutoUpdate=disabled":                              func(*Container) {},
		"AutoUpdate=local\n[Update]\nAuto=local\nAuto=":    changed(func(u *Update) { u.Auto = "local" }),
		"[Update]\nKeep=1\nRemoveFirst=yes":                changed(func(u *Update) { u.Keep, u.RemoveFirst = 1, true }),
		"[Update]\nKeepDays=30\nHealthySec=1min 30s":       changed(func(u *Update) { u.KeepDays, u.HealthySec = 30, 90*time.Second }),
		"[Update]\nHealthySec=0":                           changed(func(u *Update) { u.HealthySec = 0 }),
		"[Update]\nHealthExec=/bin/ask --of %N 'a b'":      changed(func(u *Update) { u.HealthExec = []string{"/bin/ask", "--of", "web", "a b"} }),
		"[Update]\nHealthExecHost=/usr/bin/curl %t/x":      changed(func(u *Update) { u.HealthExecHost = []string{"/usr/bin/curl", "/run/x"} }),
		"[Update]\nGroup=kube-%N.1":                        changed(func(u *Update) { u.Group = "kube-web.1" }),
		"[Update]\nRateLimit=1M":                           changed(func(u *Update) { u.RateLimit = 1 << 20 }),
		"[Update]\nRateLimit=0":                            changed(func(u *Update) { u.RateLimit = 0 }),
		"[Update]\nWindow=00:00-24:00\nWindow=\nWindow=Sat..Mon,wed 22:00-06:30\nWindow=12:00-13:00": changed(func(u *Update) {
			u.Windows = []Window{{Days: 0b1001011, From: 22 * 60, To: 6*60 + 30}, {Days: 0b1111111, From: 12 * 60, To: 13 * 60}}
		}),
	})
}

// What is wrong in [Update] lets no service fail: it is no error of the container.
func TestUpdateErrors(t *testing.T) {
	for text, want := range map[string]string{
		"Auto=yes":                  "web:4: Auto=: \"yes\" is not possible\nhint: write registry, local or no",
		"Keep=0":                    "web:4: Keep=: \"0\" is not possible\nhint: write a number from 1 to 10000",
		"KeepDays=+1":               "web:4: KeepDays=: \"+1\" is not possible\nhint: write a number from 1 to 10000",
		"HealthySec=infinity":       "web:4: HealthySec=: \"infinity\": an update would never end\nhint: write at most 24h",
		"HealthExec=a 'b":           "web:4: HealthExec=: quote ' is not closed",
		"HealthExecHost=curl x":     "web:4: HealthExecHost=: \"curl x\" does not begin with an absolute path\nhint: for example /usr/bin/curl -fsS http://127.0.0.1:8080/",
		"Group=a/b":                 "web:4: Group=: \"a/b\" is no name of a group\nhint: letters, digits and -_. may stand in it, 64 at most",
		"Group=..":                  "web:4: Group=: \"..\" is no name of a group\nhint: letters, digits and -_. may stand in it, 64 at most",
		"RateLimit=fast":            "web:4: RateLimit=: \"fast\" is no size\nhint: for example \"64m\", \"1.5G\" or \"1048576\"",
		"Window=2:00-4:00":          "web:4: Window=: \"2:00-4:00\" is no window\nhint: for example 02:00-04:00, or Sat,Sun 22:00-06:00, or Mon..Fri 12:30-13:00",
		"Window=02:00-04:60":        "web:4: Window=: \"02:00-04:60\" is no window\nhint: for example 02:00-04:00, or Sat,Sun 22:00-06:00, or Mon..Fri 12:30-13:00",
		"Window=24:00-01:00":        "web:4: Window=: \"24:00-01:00\" is no window\nhint: for example 02:00-04:00, or Sat,Sun 22:00-06:00, or Mon..Fri 12:30-13:00",
		"Window=Fryday 02:00-04:00": "web:4: Window=: \"Fryday\" are no weekdays\nhint: for example 02:00-04:00, or Sat,Sun 22:00-06:00, or Mon..Fri 12:30-13:00",
		"Window=04:00-04:00":        "web:4: Window=: \"04:00-04:00\" ends where it begins\nhint: write 00:00-24:00 for a whole day",
		"RemoveFirst=yes":           "web:4: RemoveFirst=yes removes the old image, and Keep= keeps it\nhint: write Keep=1 too, if no way back is needed",
		"Hold=ja\nKeep=x":           "web:4: Hold=: \"ja\" is no boolean\nhint: write yes or no\nweb:5: Keep=: \"x\" is not possible\nhint: write a number from 1 to 10000",
	} {
		c, errs, warnings := read(t, "web", "[Update]\n"+text)
		if c.Update.Errors.Error() != want || len(errs)+len(warnings) > 0 {
			t.Errorf("%q\n got %s\nwant %s\n%v %v", text, c.Update.Errors, want, errs, warnings)
		}
	}
	refuses(t, map[string]string{"AutoUpdate=yes": "web:3: AutoUpdate=: \"yes\" is not possible\nhint: write registry or local"})
}

func TestUpdateWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"[Update]\nAutos=registry":                "web:4: unknown key \"Autos=\" in [Update], ignoring\nhint: did you mean \"Auto=\"?",
		"[Update]\nReadOnly=no":                   "web:4: unknown key \"ReadOnly=\" in [Update], ignoring\nhint: does it belong into [Container]?",
		"HealthExec=/x":                           "web:3: unknown key \"HealthExec=\" in [Container], ignoring\nhint: does it belong into [Update]?",
		"[Update]\nKeep=1\nKeep=2":                "web:5: Keep= is set again, the line before is ignored",
		"Image=\nRootfs=/x\n[Update]\nAuto=local": "web:6: Auto=local does nothing: with Rootfs= there is no image to update",
		"Image=\nImage=q.io/a@sha256:" + digits + "\n[Update]\nAuto=registry": "web:6: Auto=registry does nothing: Image= names a digest, and stays that image",
		"Image=\nImage=oci:/srv/a@b\n[Update]\nAuto=registry":                 "",
	} {
		c, errs, warnings := read(t, "web", text)
		warnings = slices.DeleteFunc(warnings, func(p *Problem) bool { return p.Msg == "Image= is set again, the line before is ignored" })
		if warnings.Error() != want || len(errs)+len(c.Update.Errors) > 0 {
			t.Errorf("%q\n got %s\nwant %s\n%v %v", text, warnings, want, errs, c.Update.Errors)
		}
	}
}

const digits = "0123456789012345678901234567890123456789012345678901234567890123"

// What all containers are to do stands in one drop-in, and instances differ by theirs.
func TestUpdateOfAllLayers(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/containers/systemd/web@.syscontainer":                   "[Container]\nImage=q.io/web\n[Update]\nHealthExec=/ask %i\n",
		"etc/containers/systemd/web@blue.syscontainer.d/x.conf":      "[Update]\nHold=yes\nWindow=\nWindow=Sun 12:00-13:00\n",
		"etc/containers/systemd/syscontainer.d/update.conf":          "[Update]\nAuto=local\nWindow=02:00-04:00\n",
		"usr/share/containers/systemd/syscontainer.d/update.conf":    "[Update]\nAuto=registry\nKeep=9\n",
		"usr/share/containers/systemd/syscontainer.d/60-vendor.conf": "[Update]\nGroup=all\n",
		"etc/containers/systemd/pinned.syscontainer":                 "[Container]\nImage=q.io/pinned\n",
		"etc/containers/systemd/pinned.syscontainer.d/x.conf":        "[Update]\nAuto=no\n",
	})
	got := map[string]Update{}
	for _, u := range Load(root, Directories()).Units {
		c, errs, warnings := u.Container()
		if len(errs)+len(warnings)+len(u.Errors)+len(u.Warnings) > 0 {
			t.Error(u.Name.Full, errs, warnings, u.Errors, u.Warnings)
		}
		got[u.Name.Full] = c.Update
	}
	all := noUpdate
	all.Auto, all.Group, all.Windows = "local", "all", []Window{{Days: allDays, From: 120, To: 240}}
	pinned, template, blue := all, all, all
	pinned.Auto = "no"
	template.HealthExec = []string{"/ask", "instance"}
	blue.HealthExec = []string{"/ask", "blue"}
	blue.Hold, blue.Windows = true, []Window{{Days: 1, From: 720, To: 780}}
	want := map[string]Update{"pinned": pinned, "web@": template, "web@blue": blue}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got[name], want[name])
		}
	}
}
