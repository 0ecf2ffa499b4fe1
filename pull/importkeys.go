package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"syscontainer/units"
)

// translations are the keys of Quadlet's [Container] that mean something else here.
// Of all others units knows whether they are possible.
var translations map[string]func(*imported, *quadletItem)

func init() { // they go round in a circle by way of PodmanArgs=
	translations = map[string]func(*imported, *quadletItem){
		"Image": (*imported).image, "Volume": (*imported).volume, "Mount": (*imported).mount, "Network": (*imported).network,
		"PublishPort": (*imported).publishPort, "IP": (*imported).address, "IP6": (*imported).address, "Secret": (*imported).secret, "Environment": (*imported).environment,
		"PodmanArgs": (*imported).podmanArgs,
		"Exec":       (*imported).exec,
		"Systemd":    (*imported).systemd,
	}
	for _, key := range booleans {
		translations[key] = (*imported).boolean
	}
}

// booleans are the keys of which Quadlet takes all but four words for no.
var booleans = []string{"EnvironmentHost", "HttpProxy", "NoNewPrivileges", "Notify", "ReadOnly", "ReadOnlyTmpfs", "RunInit",
	"SecurityLabelDisable", "SecurityLabelNested"}

func (im *imported) container(item *quadletItem) {
	translate := translations[item.key]
	switch {
	case translate == nil:
		im.asked(im.dollars(item))
	case item.value == "" && !slices.Contains(booleans, item.key): // takes a list back
		im.keep(item)
	default:
		translate(im, im.dollars(item))
	}
}

// asked keeps what units take.
func (im *imported) asked(item *quadletItem) {
	if why, hint := im.ask(item.key, item.value); why != "" {
		im.drop(item, why, hint)
	} else {
		im.keep(item)
	}
}

// image takes the image out of the file that an .image or .build is. A name without a
// registry stays, for only a person knows which was meant.
func (im *imported) image(item *quadletItem) {
	section, key, isBuild := "Image", "Image", strings.HasSuffix(item.value, ".build")
	if isBuild {
		section, key = "Build", "ImageTag"
	} else if !strings.HasSuffix(item.value, ".image") {
		im.keep(item)
		return
	}
	value, found := quadletValue(filepath.Dir(im.file), item.value, section, key)
	if value == "" {
		why := "names no image"
		if !found {
			why = "is not there beside the unit, to say which image it is"
		}
		im.say(item, item.value+" "+why, "write Image=REGISTRY/NAME:TAG")
		im.keep(item)
		return
	}
	im.comment("the image of " + item.value)
	im.assign("Image", value)
	if isBuild {
		im.say(item, "nothing is built here; "+value+" is the name that "+item.value+" gives the image",
			"push it to a registry, or podman save --format oci-archive -o FILE "+value+" and write Image=oci-archive:FILE")
	}
}

// network keeps what is possible, and puts the bridge in the place of podman's networks.
func (im *imported) network(item *quadletItem) {
	if name, ok := strings.CutSuffix(item.value, ".container"); ok {
		item = &quadletItem{line: item.line, section: item.section, key: item.key, value: name + ".syscontainer", from: item.shown()}
	}
	if networkKind(item.value) != "bridge" || item.value == "bridge" {
		im.asked(item)
		return
	}
	if im.bridged {
		im.drop(item, "a container is on one network here, the bridge", "")
		return
	}
	im.bridged = true
	im.comment("the network of podman: " + item.value)
	im.assign("Network", "bridge")
	im.say(item, "becomes the one bridge that there is here, where containers know each other by address and not by name",
		"write IP= for a container that others look for, and AddHost=NAME:ADDRESS for those")
}

// networkKind is what becomes of a Network=: "host", "none", "bridge", or another
// namespace: "".
func networkKind(value string) string {
	switch {
	case value == "host" || value == "none":
		return value
	case strings.HasPrefix(value, "ns:") || strings.HasPrefix(value, "container:") || strings.HasSuffix(value, ".syscontainer") || strings.HasSuffix(value, ".container"):
		return ""
	}
	return "bridge"
}

func (im *imported) publishPort(item *quadletItem) {
	switch im.net {
	case "none":
		im.drop(item, "with Network=none no port of the host leads into the container", "")
	case "host":
		im.drop(item, "with Network=host each port that the payload opens is the host's, with the number it has inside",
			"let the payload listen on the port and the address that it is to have")
	default:
		im.asked(item)
	}
}

// address leaves out those of podman's networks.
func (im *imported) address(item *quadletItem) {
	im.drop(item, "the addresses of podman's networks are not those of the bridge here",
		"write an address of the subnet that syscontainer.conf(5) says, "+units.DefaultSubnets+" unless changed")
}

// boolean writes what Quadlet takes a value for: all but four words are no.
func (im *imported) boolean(item *quadletItem) {
	if item.key == "Notify" && item.value == "healthy" {
		im.asked(item)
		return
	}
	quadlet := slices.ContainsFunc([]string{"1", "yes", "true", "on"}, func(s string) bool { return strings.EqualFold(s, item.value) })
	if ours, err := units.ParseBool(item.value); err == nil && ours == quadlet {
		im.asked(item)
		return
	}
	im.comment("Quadlet takes \"" + item.value + "\" for no.")
	im.assign(item.key, "no")
	im.say(item, "Quadlet takes \""+item.value+"\" for no, and so it is written", "write yes if that was meant")
}

// environment leaves out words without a value, which podman fills with its own.
func (im *imported) environment(item *quadletItem) {
	words := rawWords(item.value)
	kept := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.Contains(w, "=") })
	if len(kept) == len(words) {
		im.asked(item)
		return
	}
	for _, w := range words {
		if !strings.Contains(w, "=") {
			name := strings.Trim(w, `"'`)
			from := item.from
			if from == "" {
				from = "Environment=" + w
			}
			im.drop(&quadletItem{line: item.line, key: item.key, value: w, from: from},
				"a name alone copies podman's own variable, and there is no podman", "write Environment="+name+"=VALUE, or EnvironmentHost=yes for all variables of the service")
		}
	}
	if len(kept) > 0 {
		im.asked(&quadletItem{line: item.line, section: item.section, key: item.key, value: strings.Join(kept, " "), from: item.from})
	}
}

// dollars takes back what systemd does with them on the line of podman: $$ is one, and
// variables are the service's.
func (im *imported) dollars(item *quadletItem) *quadletItem {
	if item.from != "" || !strings.Contains(item.value, "$") {
		return item
	}
	value := strings.ReplaceAll(item.value, "$$", "\x01")
	if strings.Contains(value, "${") || slices.ContainsFunc(rawWords(value), func(w string) bool { return variable.MatchString(strings.Trim(w, `"'`)) }) {
		im.say(item, "$ is no variable of the service here: the payload gets it as it stands", "let a shell of the image replace it, or write the value")
	}
	if value = strings.ReplaceAll(value, "\x01", "$"); value == item.value {
		return item
	}
	return &quadletItem{line: item.line, section: item.section, key: item.key, value: value, from: item.shown()}
}

var variable = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z_0-9]*$`)

// secret makes a credential of a secret that is a file.
func (im *imported) secret(item *quadletItem) {
	fields := strings.Split(item.value, ",")
	name, kind, target := strings.TrimSpace(fields[0]), "mount", ""
	for _, option := range fields[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		switch key {
		case "type":
			kind = value
		case "target":
			target = value
		}
	}
	if kind != "mount" {
		im.drop(item, "a secret in the environment is not possible",
			"write Credential="+name+", and let the payload read the file in $CREDENTIALS_DIRECTORY")
		return
	}
	if why, hint := im.ask("Credential", name); why != "" {
		im.drop(item, why, hint)
		return
	}
	im.comment("the secret of podman: " + item.value)
	im.assign("Credential", name)
	was := "/run/secrets/" + name
	if strings.HasPrefix(target, "/") {
		was = target
	} else if target != "" {
		was = "/run/secrets/" + target
	}
	im.say(item, "becomes a credential: the payload finds it as /run/credentials/"+name+", no longer as "+was,
		"(umask 077; mkdir -p /etc/credstore; podman secret inspect --showsecret --format '{{.SecretData}}' "+name+" >/etc/credstore/"+name+")")
}

// dependencies names our files where Quadlet's are named.
func (im *imported) dependencies(item *quadletItem) {
	words := strings.Fields(item.value)
	var kept []string
	changed := false
	for _, w := range words {
		suffix := filepath.Ext(w)
		switch suffix {
		case ".container":
			w = strings.TrimSuffix(w, suffix) + ".syscontainer"
			changed = true
		case ".volume", ".network", ".image", ".build", ".pod", ".artifact":
			if isDependency(item.key) {
				im.drop(&quadletItem{line: item.line, key: item.key, value: w, from: item.key + "=" + w}, "there is nothing that "+w+" would make here", "")
				changed = true
				continue
			}
		}
		if part := quadletService.FindStringSubmatch(w); part != nil && isFile(filepath.Join(filepath.Dir(im.file), part[1]+"."+part[2])) && isDependency(item.key) {
			im.drop(&quadletItem{line: item.line, key: item.key, value: w, from: item.key + "=" + w}, "there is nothing that "+part[1]+"."+part[2]+" would make here", "")
			changed = true
			continue
		}
		kept = append(kept, w)
	}
	if !changed || !isDependency(item.key) {
		im.keep(item)
	} else if len(kept) > 0 {
		im.assign(item.key, strings.Join(kept, " "))
	}
}

// quadletService is the service of a file of Quadlet's that makes something else than
// a container.
var quadletService = regexp.MustCompile(`^(.+)-(volume|network|image|build|pod|artifact)\.service$`)

// isDependency knows the keys of systemd.unit(5) that list units.
func isDependency(key string) bool {
	return slices.Contains([]string{"After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds",
		"Conflicts", "OnFailure", "OnSuccess", "PropagatesReloadTo", "ReloadPropagatedFrom", "PropagatesStopTo",
		"StopPropagatedFrom", "JoinsNamespaceOf", "WantedBy", "RequiredBy", "UpheldBy"}, key)
}

// rawWords cuts a value at blanks outside of quotes; the words keep theirs.
func rawWords(s string) (words []string) {
	start, twin := -1, byte(0)
	for i := 0; i < len(s); i++ {
		b := s[i]
		blank := twin == 0 && (b == ' ' || b == '\t')
		switch {
		case b == '\\':
			if start < 0 {
				start = i
			}
			i++
			continue
		case twin != 0 && b == twin:
			twin = 0
		case twin == 0 && (b == '"' || b == '\''):
			twin = b
		}
		if blank && start >= 0 {
			words = append(words, s[start:i])
			start = -1
		} else if !blank && start < 0 {
			start = i
		}
	}
	if start >= 0 {
		words = append(words, s[start:])
	}
	return words
}
