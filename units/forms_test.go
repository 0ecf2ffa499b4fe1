package units

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	rootfs := func(path string, overlay bool) func(*Container) {
		return func(c *Container) { c.Image, c.Rootfs, c.RootfsOverlay = "", path, overlay }
	}
	decodes(t, map[string]func(*Container){
		"Image=\nRootfs=/srv//x/":                 rootfs("/srv/x", false),
		"Image=\nRootfs=\"/srv/%N:O\"":            rootfs("/srv/web", true),
		"Rootfs=/x\nRootfs=":                      func(c *Container) {},
		"ContainerName=a.B_c-1":                   func(c *Container) { c.Name = "a.B_c-1" },
		"ContainerName=%p-x":                      func(c *Container) { c.Name = "web-x" },
		"ServiceName=other":                       func(c *Container) {},
		"EnvironmentHost=yes":                     func(c *Container) { c.EnvironmentHost = true },
		"HttpProxy=yes\nRunInit=1":                func(c *Container) { c.HTTPProxy, c.RunInit = true, true },
		"ReadOnlyTmpfs=no":                        func(c *Container) { c.ReadOnlyTmpfs = false },
		"Timezone=local":                          func(c *Container) { c.Timezone = "local" },
		"Timezone=America/Argentina/Buenos_Aires": func(c *Container) { c.Timezone = "America/Argentina/Buenos_Aires" },
		"Timezone=Etc/GMT+1":                      func(c *Container) { c.Timezone = "Etc/GMT+1" },
		"Propagation=rslave":                      func(c *Container) { c.Propagation = "rslave" },
		"EnvironmentFile=/a//b -/%N.env":          func(c *Container) { c.EnvironmentFiles = []EnvironmentFile{{"/a/b", false}, {"/web.env", true}} },
		"RuntimeArgs=--debug --criu=\"/a b\"\nRuntimeArgs=--rootless=no": func(c *Container) {
			c.RuntimeArgs = []string{"--debug", "--criu=/a b", "--rootless=no"}
		},
		"ReloadCmd=nginx -s \"re load\" %N":              func(c *Container) { c.ReloadCmd = []string{"nginx", "-s", "re load", "web"} },
		"ReloadCmd=a\nReloadCmd=\nReloadSignal=HUP":      func(c *Container) { c.ReloadSignal = "SIGHUP" },
		"Label=b=1 \"a=x y\"\nAnnotation=b=2 c=\\x41":    func(c *Container) { c.Annotations = []string{"b=1", "c=A", "a=x y"} },
		"Label=a=1\nAnnotation=b=1\nLabel=":              func(c *Container) { c.Annotations = []string{"b=1"} },
		"Set=A=1 \"B=x y\"\nSet=A=%N":                    func(c *Container) { c.Set = []string{"A=web", "B=x y"} },
		"Export=yes":                                     func(c *Container) { c.Export = []string{"yes"} },
		"Export=yes\nExport=/a//b \"/c d\"\nExport=/e":   func(c *Container) { c.Export = []string{"/a/b", "/c d", "/e"} },
		"Export=/a\nExport=no":                           func(c *Container) {},
		"CgroupsMode=split\nLogDriver=journald\nLogOpt=": func(c *Container) {},
	})
	const missing = "web: Image= or Rootfs= is missing in [Container]"
	refuses(t, map[string]string{
		"Image=":                      missing,
		"Image=\nRootfs=":             missing,
		"Rootfs=/x":                   "web:3: Image= and Rootfs= are both set\nhint: write one of them; in a drop-in, an empty Image= takes back the other file's",
		"Image=\nRootfs=x":            `web:4: Rootfs=: "x" is no absolute path`,
		"Image=\nRootfs=/":            "web:4: Rootfs=: / is the machine itself, and no container",
		"Image=\nRootfs=/x:idmap":     "web:4: Rootfs=: option \"idmap\" is not possible\nhint: the form is DIR, or DIR:O to keep what is written apart from it",
		"ContainerName=-x":            "web:3: ContainerName=: \"-x\" is no name of a container\nhint: letters, digits and _.- may stand in it, a letter or a digit first",
		"ContainerName=a b":           "web:3: ContainerName=: \"a b\" is no name of a container\nhint: letters, digits and _.- may stand in it, a letter or a digit first",
		"ContainerName=\"\"":          "web:3: ContainerName=: \"\" is no name of a container\nhint: letters, digits and _.- may stand in it, a letter or a digit first",
		"ContainerName=a-%H":          "web:3: ContainerName=: specifier %H is not possible in a name",
		"Timezone=/etc/localtime":     "web:3: Timezone=: \"/etc/localtime\" is no time zone\nhint: write local, or a zone such as Europe/Berlin",
		"Timezone=a/../../b":          "web:3: Timezone=: \"a/../../b\" is no time zone\nhint: write local, or a zone such as Europe/Berlin",
		"Propagation=unbindable":      "web:3: Propagation=: propagation \"unbindable\" is not possible\nhint: write private, rprivate, shared, rshared, slave or rslave",
		"RuntimeArgs=debug":           "web:3: RuntimeArgs=: \"debug\" is no option\nhint: write options with their value: --NAME=VALUE",
		"RuntimeArgs=--":              "web:3: RuntimeArgs=: \"--\" is no option\nhint: write options with their value: --NAME=VALUE",
		"RuntimeArgs=--root=/x":       "web:3: RuntimeArgs=: option \"--root=/x\" is not possible: --root is not free to choose",
		"RuntimeArgs=-root=/x":        "web:3: RuntimeArgs=: option \"-root=/x\" is not possible: --root is not free to choose",
		"RuntimeArgs=--systemd":       "web:3: RuntimeArgs=: option \"--systemd\" is not possible: --systemd-cgroup is not free to choose",
		"RuntimeArgs=-v":              "web:3: RuntimeArgs=: option \"-v\" is not possible: --version is not free to choose",
		"ReadOnly=no\nVolatile=yes":   "web:4: Volatile=yes forgets at the stop what is written into the root, and ReadOnly=no keeps it\nhint: write one of them",
		"ReloadCmd=a\nReloadSignal=1": "web:4: ReloadCmd= and ReloadSignal= are both set\nhint: write one of them",
		"ReloadSignal=FOO":            "web:3: ReloadSignal=: \"FOO\" is no signal\nhint: for example \"SIGTERM\" or \"SIGRTMIN+3\"",
		"Annotation=x":                "web:3: Annotation=: \"x\" is no annotation\nhint: the form is KEY=value, or \"KEY=some value\"",
		"Label==x":                    "web:3: Label=: \"=x\" is no annotation\nhint: the form is KEY=value, or \"KEY=some value\"",
		"Label=a=\\q":                 "web:3: Label=: unknown escape \"\\\\q\"\nhint: write \\\\ for a backslash",
		"Set=1A=x":                    "web:3: Set=: \"1A=x\" sets no variable\nhint: the form is NAME=VALUE, or \"NAME=some value\"",
		"Export=a":                    "web:3: Export=: \"a\" is no absolute path\nhint: write yes, no, or absolute paths",
		"LogDriver=none":              "web:3: LogDriver=: only journald is possible\nhint: output goes to the journal, see StandardOutput= in systemd.exec(5)",
		"LogOpt=tag=x":                "web:3: LogOpt= of Quadlet is not possible\nhint: output goes to the journal, see LogExtraFields= in systemd.exec(5)",
		"Secret=x":                    "web:3: Secret= of Quadlet is not possible\nhint: write Credential=NAME:FILE",
		"HealthCmd=x":                 "web:3: HealthCmd= of Quadlet is not possible\nhint: with Notify=yes, WatchdogSec= in [Service] restarts a payload that hangs; HealthExec= in [Update] judges a new image",
		"PodmanArgs=--x":              "web:3: PodmanArgs= of Quadlet is not possible\nhint: write ConfigPatch= for what no key says, RuntimeArgs= for options of the runtime",
		"EnvironmentFile=/a/../b":     "web:3: EnvironmentFile=: \"/a/../b\" has .. in it\nhint: for example /b",
		"EnvironmentHost=sure":        "web:3: EnvironmentHost=: \"sure\" is no boolean\nhint: write yes or no",

		"Privileged=yes\nDropCapability=ALL": "web:3: DropCapability=all takes what Privileged=yes gives\nhint: write one of them",
	})
}

func TestCredentials(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"Credential=db.pass":       func(c *Container) { c.Credentials = []Credential{{"db.pass", ""}} },
		"Credential=a:/etc/%N.key": func(c *Container) { c.Credentials = []Credential{{"a", "/etc/%N.key"}} },
		"Credential=a:%d/x:y\nCredential=b\nCredential=a:other": func(c *Container) {
			c.Credentials = []Credential{{"a", "other"}, {"b", ""}}
		},
		"Credential=a:/srv/%m": func(c *Container) { c.Credentials = []Credential{{"a", "/srv/%m"}} },
	})
	refuses(t, map[string]string{
		"Credential=a b":       "web:3: Credential=: \"a b\" is no name of a credential\nhint: letters, digits and _.- may stand in it",
		"Credential=..":        "web:3: Credential=: \"..\" is no name of a credential\nhint: letters, digits and _.- may stand in it",
		"Credential=%p:/x":     "web:3: Credential=: \"%p\" is no name of a credential\nhint: letters, digits and _.- may stand in it",
		"Credential=a:./x":     "web:3: Credential=: \"./x\" is neither an absolute path nor a name\nhint: the form is NAME, or NAME:/PATH, or NAME:CREDENTIAL of the system's",
		"Credential=a:":        "web:3: Credential=: \"\" is neither an absolute path nor a name\nhint: the form is NAME, or NAME:/PATH, or NAME:CREDENTIAL of the system's",
		"Credential=a:/x/../y": "web:3: Credential=: \"/x/../y\" has .. in it\nhint: for example /y",
		"Credential=a:%D/x":    "web:3: Credential=: specifier %D is not possible here\nhint: write /usr/share",
		"Credential=a:%y":      "web:3: Credential=: specifier %y is not possible here: it would be a path of the generated service\nhint: write the path itself, or %%y for a percent sign and y",
	})
}

func TestConfigPatch(t *testing.T) {
	decodes(t, map[string]func(*Container){
		`ConfigPatch={}`:         func(c *Container) { c.ConfigPatches = []ConfigPatch{{JSON: "{}"}} },
		`ConfigPatch=/etc/%N//x`: func(c *Container) { c.ConfigPatches = []ConfigPatch{{File: "/etc/web/x"}} },
		`ConfigPatch={"a%N": ["%%", "50%", {"b": null}], "%p" : -1.5e+3 }` + "\nConfigPatch=\"/b c\"": func(c *Container) {
			c.ConfigPatches = []ConfigPatch{{JSON: `{"aweb": ["%", "50%", {"b": null}], "web" : -1.5e+3 }`}, {File: "/b c"}}
		},
		"ConfigPatch={\"a\": \\\n  1}": func(c *Container) { c.ConfigPatches = []ConfigPatch{{JSON: "{\"a\":    1}"}} },
	})
	const example = "\nhint: for example {\"process\": {\"oomScoreAdj\": -500}}"
	refuses(t, map[string]string{
		`ConfigPatch={"a":1,}`:           `web:3: ConfigPatch=: not valid JSON at byte 8, before "}": a name in quotes is expected` + example,
		`ConfigPatch={"a" 1}`:            `web:3: ConfigPatch=: not valid JSON at byte 6, before "1}": a colon is expected` + example,
		`ConfigPatch={"a":1`:             `web:3: ConfigPatch=: not valid JSON at the end: a comma or } is expected` + example,
		`ConfigPatch={"a":1} x`:          `web:3: ConfigPatch=: not valid JSON at byte 9, before "x": nothing may stand behind the object` + example,
		`ConfigPatch={"a":01}`:           `web:3: ConfigPatch=: not valid JSON at byte 7, before "1}": a comma or } is expected` + example,
		`ConfigPatch={"a":yes}`:          `web:3: ConfigPatch=: not valid JSON at byte 6, before "yes}": a value is expected` + example,
		`ConfigPatch={"a":"b}`:           `web:3: ConfigPatch=: not valid JSON at byte 6, before "\"b}": a string has no end, or a character or an escape that no string may have` + example,
		`ConfigPatch={"a":1,"\u0061":2}`: `web:3: ConfigPatch=: not valid JSON at byte 8, before "\"\\u0061\":2}": the name stands twice in its object` + example,
		`ConfigPatch={"a":"%Z"}`:         "web:3: ConfigPatch=: specifier %Z is not possible here\nhint: write %%Z for a percent sign and Z",
		`ConfigPatch=a.json`:             "web:3: ConfigPatch=: \"a.json\" is relative to the directory of the unit's file, which is not known\nhint: write an absolute path",
		`ConfigPatch=[1]`:                "web:3: ConfigPatch=: \"[1]\" is neither a JSON object nor a path" + example,
		`ConfigPatch='{"a":1}'`:          "web:3: ConfigPatch=: \"'{\\\"a\\\":1}'\" is neither a JSON object nor a path" + example,
		`ConfigPatch={"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}": `web:3: ConfigPatch=: not valid JSON at byte 69, before "[]]]]]]]]]]]]]]]]]]]": more than 64 objects and arrays are inside one another` + example,
	})
	for name, text := range map[string]string{`web@a\x22b`: "%I", `web@a\x5cb`: "%I", `web@a\x0ab`: "%I", `web@a\xffb`: "%I", `web@\x5d`: "%i"} {
		if c, errs, _ := read(t, name, `ConfigPatch={"a":"`+text+`"}`); len(errs) != 1 || !strings.Contains(errs[0].Msg, "that JSON would need escapes for") {
			t.Errorf("%s: %+v %v", name, c.ConfigPatches, errs)
		}
	}
}

// encoding/json is the judge. It takes more: names that stand twice, characters that
// are none, NUL, and greater depth.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,-0.5e-7,true,false,null,"\u00e9\ud83d\ude00\n"],"b":{"a":{}}}`, `{"a":1,"a":2}`, `{"a":.5}`, `{"a":1.}`, `{"a":-}`, `{"a":"%%%x"}`,
		`{"\ud83d":1}`, "{\"\xff\":1}", `{"a":[[[]]]}`, "{\"a\":\t1\r\n}", `{"a":"\u0000"}`, `{"%%":1,"%%":2}`, `{"%%":1,"%":2}`} {
		f.Add(s)
	}
	literal := func(specifier string) (string, error) {
		if specifier == "%%" {
			return "%", nil
		}
		return specifier, nil
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := jsonObject(s, literal)
		var want map[string]any
		judge := json.Unmarshal([]byte(s), &want)
		if err == nil && (judge != nil || want == nil) {
			t.Fatalf("%q is none: %v", s, judge)
		}
		if err != nil {
			e, ok := err.(*hinted)
			if judge == nil && want != nil && !(ok && (strings.Contains(e.msg, "twice") || strings.Contains(e.msg, "no string may have") || strings.Contains(e.msg, "inside one another"))) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if strings.Contains(s, "%%") {
			s = strings.ReplaceAll(s, "%%", "%")
		} else if got != s {
			t.Fatalf("%q became %q", s, got)
		}
		var again, expected map[string]any
		if err := json.Unmarshal([]byte(got), &again); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if json.Unmarshal([]byte(s), &expected) == nil && !reflect.DeepEqual(again, expected) {
			t.Fatalf("%q: %v", got, again)
		}
	})
}
