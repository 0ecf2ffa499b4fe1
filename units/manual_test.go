package units

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every key of the tables is in syscontainer.unit(5), with its form and its default, and every key there is in a table.
func TestManualKnowsEveryKey(t *testing.T) {
	manualKnows(t, "[CONTAINER]", keys[:])
	manualKnows(t, "[UPDATE]", updateKeys[:])
}

func manualKnows(t *testing.T, section string, keys []key) {
	t.Helper()
	data, err := os.ReadFile("../man/syscontainer.unit.5.scd")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n# THE SECTION "+section+"\n")
	if !found {
		t.Fatal("no section ", section, " in the manual")
	}
	text, _, _ = strings.Cut(text, "\n# ")
	entries := make(map[string]string)
	heads := regexp.MustCompile(`(?m)^\*([A-Za-z0-9]+)=\*\n`).FindAllStringSubmatchIndex(text, -1)
	for i, head := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name := text[head[2]:head[3]]
		if _, twice := entries[name]; twice {
			t.Error(name, "= stands twice in the manual")
		}
		entries[name] = strings.Join(strings.Fields(text[head[1]:end]), " ")
	}
	for _, k := range keys {
		entry, known := entries[k.name]
		switch {
		case !known:
			t.Error(k.name, "= is not in the manual")
		case !strings.Contains(entry, "The form is "):
			t.Error("the manual does not say the form of ", k.name, "=")
		case !strings.Contains(entry, "Defaults to "):
			t.Error("the manual does not say the default of ", k.name, "=")
		case strings.Contains(entry, "May be given several times.") == k.once:
			t.Error("the manual is wrong on whether ", k.name, "= may be given several times")
		}
	}
	for name := range entries {
		if !slices.ContainsFunc(keys, func(k key) bool { return k.name == name }) {
			t.Error(name, "= of the manual is no key")
		}
	}
}
