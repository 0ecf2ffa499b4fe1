package atomic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// Machine is what a configuration has to fit.
type Machine struct {
	SELinux      bool     // the kernel confines by SELinux
	Capabilities []string // that the kernel knows, "CAP_CHOWN"; nil: any
}

// version is what runtimes of all ages accept: crun before 1.14.3 wants 1.0.
const version = "1.0.2"

// document is a runtime configuration of any age while it is being put right. What the present specification does not know
// is in it, too.
type document struct {
	tree    map[string]any
	machine Machine
	changes []string
}

func (d *document) say(format string, args ...any) {
	d.changes = append(d.changes, fmt.Sprintf(format, args...))
}

// Sanitise makes a runtime configuration of any age acceptable to present runtimes, and means the same with it. Each change
// is told in a line. The configuration {} is none: nil.
//
// What only the machine can tell, whether sources and targets of mounts are there, it leaves alone.
func Sanitise(config []byte, m Machine) (spec *rspec.Spec, changes []string, err error) {
	d := document{machine: m}
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	if err := decoder.Decode(&d.tree); err != nil {
		return nil, nil, fmt.Errorf("Invalid json in configuration file: %w", err)
	}
	if decoder.More() {
		return nil, nil, errors.New("Invalid json in configuration file: something follows the object")
	}
	if len(d.tree) == 0 {
		return nil, nil, nil
	}
	root, _ := d.tree["root"].(map[string]any)
	if root == nil {
		return nil, nil, errors.New("Invalid configuration file.  There is no root")
	}
	if p, _ := root["path"].(string); p != "rootfs" && p != "./rootfs" {
		return nil, nil, errors.New("Invalid configuration file.  Path must be 'rootfs'")
	}
	d.version()
	process, linux := d.object("process"), d.object("linux")
	d.moveFromLinux(process, linux)
	d.capabilities(process)
	d.labels(process, linux)
	d.seccomp(linux)
	d.hostile(process, linux)
	mounts, err := d.mounts()
	if err != nil {
		return nil, nil, err
	}
	delete(d.tree, "mounts")
	data, err := json.Marshal(exact(d.tree, reflect.TypeFor[rspec.Spec]()))
	if err != nil {
		return nil, nil, err
	}
	spec = new(rspec.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, nil, fmt.Errorf("Invalid configuration file.  %s is a %s", wrong.Field, wrong.Value)
		}
		return nil, nil, fmt.Errorf("Invalid configuration file.  %w", err)
	}
	spec.Mounts = mounts
	d.namespaces(spec)
	return spec, d.changes, nil
}

// object is a member that is an object; one of another type is replaced.
func (d *document) object(name string) map[string]any {
	if o, is := d.tree[name].(map[string]any); is {
		return o
	}
	o := make(map[string]any)
	d.tree[name] = o
	return o
}

func (d *document) version() {
	if v, _ := d.tree["ociVersion"].(string); v != version {
		if !strings.HasPrefix(v, "1.") {
			d.say("ociVersion: %q becomes %q", v, version)
		}
		d.tree["ociVersion"] = version
	}
}

// moveFromLinux puts where they belong now what stood below linux before 1.0.
func (d *document) moveFromLinux(process, linux map[string]any) {
	for _, m := range []struct{ from, to string }{
		{"capabilities", "capabilities"}, {"rlimits", "rlimits"}, {"selinuxProcessLabel", "selinuxLabel"}, {"apparmorProfile", "apparmorProfile"},
	} {
		value, there := linux[m.from]
		if !there {
			continue
		}
		delete(linux, m.from)
		_, has := process[m.to]
		if !has && value != nil && value != "" {
			process[m.to] = value
			d.say("linux.%s moves to process.%s", m.from, m.to)
		}
	}
	delete(linux, "selinuxProcessLabel")
}

// capabilities are always said: without the word old runc gives none, and new runc all.
func (d *document) capabilities(process map[string]any) {
	const key = "process.capabilities"
	sets := make(map[string][]string)
	switch given := process["capabilities"].(type) {
	case nil:
		d.say("%s are missing, which is none", key)
	case []any:
		list := d.known(key, words(given))
		for _, set := range []string{"bounding", "effective", "permitted"} {
			sets[set] = list
		}
		if !isRoot(process) { // without these it would get none
			sets["inheritable"], sets["ambient"] = list, list
		}
		d.say("%s: a list becomes sets", key)
	case map[string]any:
		for _, set := range slices.Sorted(maps.Keys(given)) {
			list, _ := given[set].([]any)
			sets[set] = d.known(key+"."+set, words(list))
		}
		sets["ambient"] = slices.DeleteFunc(sets["ambient"], func(name string) bool {
			raised := slices.Contains(sets["inheritable"], name) && slices.Contains(sets["permitted"], name)
			if !raised {
				d.say("%s.ambient: without %s, which is not inheritable and permitted", key, name)
			}
			return !raised
		})
	default:
		d.say("%s: a %T is none", key, given)
	}
	all := make(map[string]any, len(sets))
	for set, list := range sets {
		if len(list) > 0 {
			all[set] = list
		}
	}
	process["capabilities"] = all
}

// known are capabilities as they are written today, without those that the kernel has not.
func (d *document) known(key string, names []string) (list []string) {
	for _, name := range names {
		today := strings.ToUpper(name)
		if !strings.HasPrefix(today, "CAP_") {
			today = "CAP_" + today
		}
		switch {
		case d.machine.Capabilities != nil && !slices.Contains(d.machine.Capabilities, today):
			d.say("%s: without %s, which this kernel does not know", key, name)
			continue
		case today != name:
			d.say("%s: %s becomes %s", key, name, today)
		}
		if !slices.Contains(list, today) {
			list = append(list, today)
		}
	}
	return list
}

func isRoot(process map[string]any) bool {
	user, _ := process["user"].(map[string]any)
	uid, given := user["uid"].(json.Number)
	return !given || uid == "0"
}

// labels go where SELinux is not: runtimes refuse them, or a mount fails.
func (d *document) labels(process, linux map[string]any) {
	for _, l := range []struct {
		in        map[string]any
		name, key string
	}{{process, "selinuxLabel", "process.selinuxLabel"}, {linux, "mountLabel", "linux.mountLabel"}} {
		text, _ := l.in[l.name].(string)
		switch {
		case d.machine.SELinux && isLabel(text):
			continue
		case d.machine.SELinux && text != "":
			d.say("%s goes: %q is no label", l.key, text)
		case text != "":
			d.say("%s goes: there is no SELinux", l.key)
		}
		delete(l.in, l.name)
	}
}

// isLabel accepts what labels are made of: one stands among the options of a mount, and must not add to them.
func isLabel(text string) bool {
	for _, c := range []byte(text) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("_:.,-", c) >= 0) {
			return false
		}
	}
	return text != ""
}

// seccomp without a default action and rules is no filter to runc, and an error to crun.
func (d *document) seccomp(linux map[string]any) {
	s, is := linux["seccomp"].(map[string]any)
	if !is {
		delete(linux, "seccomp")
		return
	}
	rules, _ := s["syscalls"].([]any)
	if action, _ := s["defaultAction"].(string); action == "" && len(rules) == 0 {
		delete(linux, "seccomp")
		d.say("linux.seccomp is empty and goes")
	}
	if path, _ := s["listenerPath"].(string); path != "" {
		d.say("linux.seccomp.listenerPath goes: the runtime would talk to a program of the machine")
	}
	delete(s, "listenerPath")
	delete(s, "listenerMetadata")
}

// hostile takes away what an image has no say in: programs that run on the machine, its cgroups, its terminal.
func (d *document) hostile(process, linux map[string]any) {
	if hooks, _ := d.tree["hooks"].(map[string]any); len(hooks) > 0 {
		d.say("hooks go: they would run programs on the machine")
	}
	delete(d.tree, "hooks")
	delete(d.tree, "platform") // of runtimes before 1.0
	annotations, _ := d.tree["annotations"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if strings.HasPrefix(name, "run.oci.") || strings.HasPrefix(name, "org.systemd.property.") {
			d.say("annotation %s goes: the runtime would obey it", name)
			delete(annotations, name)
		}
	}
	for _, name := range []string{"cgroupsPath", "intelRdt"} {
		if text, is := linux[name].(string); linux[name] != nil && (!is || text != "") {
			d.say("linux.%s goes: the service has its own", name)
		}
		delete(linux, name)
	}
	if process["terminal"] == true {
		d.say("process.terminal becomes false: a service has none")
	}
	process["terminal"] = false
}

// namespaces: none twice, one for mounts in any case, and one for a host name that is set.
func (d *document) namespaces(s *rspec.Spec) {
	if s.Process == nil {
		s.Process = new(rspec.Process)
	}
	if s.Linux == nil {
		s.Linux = new(rspec.Linux)
	}
	var list []rspec.LinuxNamespace
	has := func(kind rspec.LinuxNamespaceType) bool {
		return slices.ContainsFunc(list, func(n rspec.LinuxNamespace) bool { return n.Type == kind })
	}
	for _, n := range s.Linux.Namespaces {
		if has(n.Type) {
			d.say("linux.namespaces: %s is there twice", n.Type)
			continue
		}
		if n.Path != "" {
			d.say("linux.namespaces: %s is a new one and not %s", n.Type, n.Path)
			n.Path = ""
		}
		list = append(list, n)
	}
	if !has(rspec.MountNamespace) {
		d.say("linux.namespaces: with one for mounts")
		list = append(list, rspec.LinuxNamespace{Type: rspec.MountNamespace})
	}
	if s.Hostname != "" && !has(rspec.UTSNamespace) {
		d.say("linux.namespaces: with one for the host name %q", s.Hostname)
		list = append(list, rspec.LinuxNamespace{Type: rspec.UTSNamespace})
	}
	s.Linux.Namespaces = list
}

func words(list []any) (all []string) {
	for _, item := range list {
		if text, is := item.(string); is && text != "" {
			all = append(all, text)
		}
	}
	return all
}

// absolute is a path from the root, without . and ..
func absolute(p string) string { return path.Join("/", p) }
