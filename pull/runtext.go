package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"syscontainer/pull/atomic"
	"syscontainer/units"
)

// unitLine is a line of the unit that the command line stands for.
type unitLine struct {
	section, key, value string
	origin              string // as a person wrote it
}

// lineFlags are the options that become lines, in their order.
func (o *runOptions) lineFlags(flags *flag.FlagSet) {
	add := func(section, key string, form func(string) (string, error), names ...string) {
		for _, name := range names {
			dashes := "--"[:min(len(name), 2)]
			flags.Func(name, "", func(s string) error {
				value, err := form(s)
				if err == nil && value != "" {
					o.lines = append(o.lines, unitLine{section, key, value, dashes + name + " " + s})
				}
				return err
			})
		}
	}
	add("Container", "Environment", variableLine, "e", "env")
	add("Container", "Volume", volumeLine, "v", "volume")
	add("Container", "User", oneValue, "u", "user")
	add("Container", "WorkingDir", oneValue, "w", "workdir")
	add("Container", "Network", oneValue, "network")
	add("Container", "Entrypoint", func(s string) (string, error) { return exactWord(s), nil }, "entrypoint")
	add("Container", "Set", setLine, "set")
	assignment := func(section string, names ...string) {
		for _, name := range names {
			flags.Func(name, "", func(s string) error {
				key, value, ok := strings.Cut(s, "=")
				if !ok || key == "" || strings.IndexFunc(key, func(r rune) bool {
					return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
				}) >= 0 {
					return fmt.Errorf("the form is KEY=VALUE")
				}
				o.lines = append(o.lines, unitLine{section, key, value, "--"[:min(len(name), 2)] + name + " " + s})
				return nil
			})
		}
	}
	assignment("Container", "k", "key")
	assignment("Service", "p", "property")
}

// variableLine reads NAME=VALUE, or NAME for the caller's; "" if the caller has none.
func variableLine(s string) (string, error) {
	name, _, given := strings.Cut(s, "=")
	if name == "" {
		return "", fmt.Errorf("the form is NAME=VALUE")
	}
	if !given {
		value, set := os.LookupEnv(name)
		if !set {
			return "", nil
		}
		s = name + "=" + value
	}
	return exactWord(s), nil
}

// setLine reads a value for templates, whatever characters are in it.
func setLine(s string) (string, error) {
	name, _, found := strings.Cut(s, "=")
	if !found {
		return "", fmt.Errorf("Invalid value '%s'.  Expected form NAME=VALUE", s) // Atomic's words
	}
	if atomic.ClassOf(name) == atomic.Forced {
		return "", fmt.Errorf("the container itself gives $%s its value", name)
	}
	return exactWord(s), nil
}

// volumeLine makes a relative source absolute, as a shell's user means it.
func volumeLine(s string) (string, error) {
	source, rest, found := strings.Cut(s, ":")
	if found && (source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")) {
		path, err := filepath.Abs(source)
		if err != nil {
			return "", err
		}
		s = path + ":" + rest
	}
	return percent(s), nil
}

// oneValue is a value that units reads as a whole: what stands in quotes loses them.
func oneValue(s string) (string, error) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' || strings.TrimSpace(s) != s {
		s = `"` + s + `"`
	}
	return percent(s), nil
}

// checkLines refuses what no line of a unit can hold.
func (o *runOptions) checkLines() error {
	for _, l := range o.lines {
		switch {
		case strings.ContainsAny(l.value, "\n\r\x00"):
			return usagef("run: %q: a line end cannot stand in it", l.origin)
		case !utf8.ValidString(l.value):
			return usagef("run: %q is not UTF-8, and nothing else can be handed to a container", l.origin)
		case l.section == "Service" && l.key == "Restart" && l.value != "no" && !o.detach:
			return usagef("run: %s: a service that starts again has no one exit status\nhint: with -d it is possible", l.origin)
		case l.section != "Container":
		case l.key == "Image" || l.key == "Rootfs":
			return usagef("run: %s: IMAGE says what to run", l.origin)
		case l.key == "Exec" && len(o.command) > 0:
			return usagef("run: %s: COMMAND says it already", l.origin)
		case l.key == "ServiceName":
			return usagef("run: %s: the name of the service is --name's to say", l.origin)
		}
	}
	for _, word := range o.command {
		if !utf8.ValidString(word) {
			return usagef("run: %q is not UTF-8, and nothing else can be handed to a container", word)
		}
	}
	return nil
}

// text is the unit that the command line stands for, and where each of its lines comes
// from.
func (o *runOptions) text() (text string, origins []string) {
	var b strings.Builder
	write := func(origin, line string) {
		if strings.HasSuffix(line, `\`) {
			line += " " // the next line is none of its
		}
		b.WriteString(line + "\n")
		origins = append(origins, origin)
	}
	write("", "[Unit]")
	write("", "Description="+percent(o.description()))
	if o.remove {
		write("", "CollectMode=inactive-or-failed")
	}
	for _, section := range []string{"Container", "Service"} {
		write("", "["+section+"]")
		if section == "Container" {
			if term := os.Getenv("TERM"); o.tty && term != "" && utf8.ValidString(term) {
				write("$TERM", "Environment="+exactWord("TERM="+term))
			}
		}
		for _, l := range o.lines {
			if l.section == section {
				write(l.origin, l.key+"="+l.value)
			}
		}
		if section == "Container" {
			image, _ := oneValue(o.image)
			write("IMAGE", "Image="+image)
			if len(o.command) > 0 {
				words := make([]string, len(o.command))
				for i, word := range o.command {
					words[i] = exactWord(word)
				}
				write("COMMAND", "Exec="+strings.Join(words, " "))
			}
		}
	}
	return b.String(), origins
}

// description is what systemctl shows: the command line, as far as people will read it.
func (o *runOptions) description() string {
	const most = 200
	words := slices.Concat([]string{o.image}, o.command)
	var b strings.Builder
	for _, word := range words {
		if b.Len() > most {
			break
		}
		b.WriteString(" " + word)
	}
	text := []rune(strings.TrimSpace(units.Printable(b.String())))
	if len(text) > most {
		text = append(text[:most], '…')
	}
	return string(text)
}

// exactWord writes a word as those keys take it that split their value: nothing in it is
// a specifier, a quote or an escape.
func exactWord(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c == '%':
			b.WriteString("%%")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func percent(s string) string { return strings.ReplaceAll(s, "%", "%%") }
