package units

import (
	"path"
	"slices"
	"strings"
)

// devptsOptions are those of mount(8) for devpts; an = wants a value.
var devptsOptions = []string{"uid=", "gid=", "mode=", "ptmxmode=", "max=", "newinstance"}

// mountNames are the other options of Mount=.
var mountNames = []string{"type=", "source=", "src=", "target=", "destination=", "dst=", "bind-propagation=", "bind-nonrecursive",
	"readonly", "relabel=", "tmpfs-size=", "tmpfs-mode=", "consistency="}

// mountForm reads words type=TYPE,source=PATH,target=PATH,OPTION…, as podman's
// --mount takes them: items between commas, and an item in quotes may have commas.
func mountForm(n *scope, s string) (mounts []Mount, warnings []error, err error) {
	if unquoted, whole := wholeQuoted(s); whole {
		s = unquoted
	} else if blank := strings.IndexAny(outsideQuotes(s), white); blank >= 0 {
		return nil, nil, wrong(`write quotes around the item: "source=/some path"`, quote(s), " has a blank outside of quotes")
	}
	items, err := splitItems(s)
	if err != nil {
		return nil, nil, err
	}
	r := mountReader{scope: n}
	if err := r.read(items); err != nil {
		return nil, nil, err
	}
	return []Mount{r.Mount}, r.warnings, nil
}

// wholeQuoted takes the quotes from around a whole value, as Quadlet does.
func wholeQuoted(s string) (string, bool) {
	if s[0] != '"' && s[0] != '\'' || s[len(s)-1] != s[0] {
		return "", false
	}
	words, _, err := split(s, cWord)
	if err != nil || len(words) != 1 || !strings.HasPrefix(words[0], "type=") {
		return "", false
	}
	return words[0], true
}

func outsideQuotes(s string) string {
	var b strings.Builder
	inside := false
	for part := range strings.SplitSeq(s, `"`) {
		if !inside {
			b.WriteString(part)
		}
		inside = !inside
	}
	return b.String()
}

// splitItems splits at commas as CSV does (RFC 4180): a quote begins and ends an item
// or is an error, two of them inside are one.
func splitItems(value string) (items []string, err error) {
	s := value
	bad := func() error {
		return wrong(`quotes stand around a whole item: type=bind,"source=/a,b",target=/c`, quote(value), " has a quote in the wrong place")
	}
	for {
		if !strings.HasPrefix(s, `"`) {
			item, rest, more := strings.Cut(s, ",")
			if strings.IndexByte(item, '"') >= 0 {
				return nil, bad()
			}
			items = append(items, item)
			if !more {
				return items, nil
			}
			s = rest
			continue
		}
		var b strings.Builder
		s = s[1:]
		for {
			before, rest, closed := strings.Cut(s, `"`)
			if !closed {
				return nil, bad()
			}
			b.WriteString(before)
			if s = rest; !strings.HasPrefix(s, `"`) {
				break
			}
			b.WriteByte('"')
			s = s[1:]
		}
		items = append(items, b.String())
		if s == "" {
			return items, nil
		}
		if s[0] != ',' {
			return nil, bad()
		}
		s = s[1:]
	}
}

// mountReader is a Mount while its items are being read.
type mountReader struct {
	*scope
	Mount
	source   string // as written
	where    string // as written
	once     map[string]bool
	warnings []error
}

func (r *mountReader) read(items []string) error {
	for _, item := range items { // what the others mean depends on it
		if kind, found := strings.CutPrefix(item, "type="); found {
			if r.Type != "" {
				return wrong("", "type= is set twice")
			}
			r.Type = kind
		}
	}
	switch r.Type {
	case "bind", "glob", "tmpfs", "devpts":
	case "":
		return wrong("write type=bind,source=PATH,target=PATH, or type=tmpfs,target=PATH", "type= is missing, and podman's default, volume, is not possible")
	case "volume":
		return wrong("write type=bind,source=/var/lib/"+r.Prefix+",target=PATH", "type=volume is not possible: there are no volumes")
	case "image", "artifact":
		return wrong("", "type="+r.Type+" is not possible: an image is mounted at / only")
	case "ramfs":
		return wrong("write type=tmpfs", "type=ramfs is not possible")
	default:
		return wrong("write type=bind, glob, tmpfs or devpts", "type=", quote(r.Type), " is not possible")
	}
	r.once = make(map[string]bool)
	for _, item := range items {
		if err := r.item(item); err != nil {
			return err
		}
	}
	return r.places()
}

// item reads one option. Of the names that mean the same one may stand.
func (r *mountReader) item(item string) error {
	name, value, assigned := strings.Cut(item, "=")
	same, isBind := name, r.Type == "bind" || r.Type == "glob"
	switch name {
	case "src":
		same = "source"
	case "dst", "destination":
		same = "target"
	case "readonly", "rw":
		same = "ro"
	}
	if name != "type" {
		if r.once[same] {
			return wrong("", quote(name), " is set twice")
		}
		r.once[same] = true
	}
	switch same {
	case "type", "consistency":
		return nil
	case "source", "target":
		if value == "" {
			return wrong("write "+name+"=PATH", quote(item), " has no path")
		}
		if same == "target" {
			r.where = value
		} else {
			r.source = value
		}
		return nil
	}
	switch {
	case r.Type == "devpts":
		return r.option(item, devptsOptions, assigned)
	case same == "ro":
		yes := true
		if assigned {
			var err error
			if yes, err = ParseBool(value); err != nil {
				return wrong("write "+name+" or "+name+"=false", quote(item), " is no boolean")
			}
		}
		if yes == (name == "rw") {
			r.Options = append(r.Options, "rw")
		} else {
			r.Options = append(r.Options, "ro")
		}
		return nil
	case r.Type == "tmpfs" && (name == "tmpfs-size" || name == "tmpfs-mode"):
		item = strings.TrimPrefix(item, "tmpfs-")
		return r.option(item, tmpfsOptions, assigned)
	case r.Type == "tmpfs" && name == "notmpcopyup" && !assigned:
		return nil
	case r.Type == "tmpfs":
		return r.option(item, tmpfsOptions, assigned)
	case isBind && name == "bind-propagation":
		if !slices.Contains([]string{"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"}, value) {
			return wrong("write private, rprivate, shared, rshared, slave, rslave, unbindable or runbindable", "propagation ", quote(value), " is not possible")
		}
		r.Options = append(r.Options, value)
		return nil
	case isBind && name == "bind-nonrecursive" && !assigned:
		r.Options = append(r.Options, "bind")
		return nil
	case isBind && (name == "relabel" && (value == "shared" || value == "private") || (name == "z" || name == "Z") && !assigned):
		r.warnings = append(r.warnings, unlabelled(item))
		return nil
	case isBind && name == "relabel":
		return wrong("write relabel=shared or relabel=private", quote(item), " is not possible")
	case isBind && (name == "U" || name == "chown"):
		if no, err := ParseBool(value); err == nil && !no {
			return nil
		}
		return notOwned(name, r.source)
	}
	return r.option(item, volumeOptions, assigned)
}

// option adds one of a list of known options.
func (r *mountReader) option(item string, known []string, assigned bool) error {
	name, value, _ := strings.Cut(item, "=")
	if assigned {
		name += "="
	}
	if !slices.Contains(known, name) {
		return unknownOption(item, slices.Concat(known, mountNames))
	}
	if assigned && (value == "" || !onlyBytes(value, "%_")) {
		return wrong("", "option ", quote(item), " has a malformed value")
	}
	r.Options = append(r.Options, item)
	return nil
}

// places reads source and target, as the type has them.
func (r *mountReader) places() (err error) {
	if r.where == "" && r.Type != "glob" {
		return wrong("write target=PATH", "the target is missing")
	}
	switch r.Type {
	case "bind":
		if r.source == "" { // as podman does
			r.source = r.where
		}
		r.Source, r.Written, err = r.bindSource(r.source, "source=", "")
	case "glob":
		if r.source == "" {
			return wrong("write source=PATTERN", "the source is missing")
		}
		if r.Source, err = r.Expand(r.source); err == nil {
			r.Source, r.Written, err = r.absolute(r.Source, r.source)
		}
		if err == nil {
			r.Source, err = cleanPattern(r.Source)
		}
		if dir, _ := path.Split(r.Source); err == nil && r.where == "" { // each in its own place
			if strings.ContainsAny(dir, `*?[\`) {
				return wrong("write target=DIRECTORY", "the target is missing, and the source has a pattern before its last part")
			}
			r.Target = path.Clean(dir)
			if r.Target == "/" {
				err = wrong("", "a mount at / would hide the image")
			}
			return err
		}
	default:
		if r.source != "" && (r.Type != "tmpfs" || r.source != "tmpfs") {
			return wrong("remove it", "a "+r.Type+" has no source")
		}
	}
	if err == nil {
		r.Target, err = target(r.scope, r.where)
	}
	return err
}
