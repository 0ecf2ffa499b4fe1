// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/test/syntax"
)

// anyImage makes a container of any text, from a drop-in.
const anyImage = "[Container]\nImage=q.io/a:1\n"

// pairs shows systemd each text twice: as a unit of its own and as a .syscontainer file. It returns the properties of
// both, by name, as "systemctl show" prints them.
func pairs(t *testing.T, texts []string, properties string) (native, ours []map[string]string) {
	t.Helper()
	files := map[string]string{}
	for i, text := range texts {
		files[fmt.Sprintf("/etc/systemd/system/case-%d-native.service", i)] = text
		files[fmt.Sprintf("/etc/systemd/system/case-%d-native.service.d/exec.conf", i)] = "[Service]\nType=notify\nDelegate=yes\nExecStart=\nExecStart=/bin/true\n"
		files[fmt.Sprintf("/etc/containers/systemd/case-%d-ours.syscontainer", i)] = text
		files[fmt.Sprintf("/etc/containers/systemd/case-%d-ours.syscontainer.d/image.conf", i)] = anyImage
	}
	script := fmt.Sprintf(`{ set +x; } 2>/dev/null
for i in $(seq 0 %d); do
	systemctl show %s case-$i-native.service >/tmp/shown || :
	systemctl show %s case-$i-ours.service >>/tmp/shown.ours || :
	sed 's/^/native /' /tmp/shown
	sed 's/^/ours /' /tmp/shown.ours
	: >/tmp/shown.ours
	echo "next"
done
`, len(texts)-1, properties, properties)
	res := host.Run(t, host.Options{Script: script, Files: files})
	if res.Exit != 0 {
		t.Fatal(res)
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(res.Stdout, "next\n"), "\nnext\n") {
		a, b := map[string]string{}, map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			who, line, _ := strings.Cut(line, " ")
			key, value, _ := strings.Cut(line, "=")
			if who == "native" {
				a[key] = value
			} else if who == "ours" {
				b[key] = value
			}
		}
		native, ours = append(native, a), append(ours, b)
	}
	if len(native) != len(texts) {
		t.Fatalf("%d answers to %d texts", len(native), len(texts))
	}
	return native, ours
}

// refused tells how systemd and we take a text: the one does not load it, the other makes a service that fails.
func refused(native, ours map[string]string) (bySystemd, byUs bool) {
	return native["LoadState"] != "loaded", strings.Contains(ours["ExecStart"], "--fail")
}

const syntaxProperties = "-p UtmpIdentifier -p RebootArgument -p Environment -p LoadState -p ExecStart"

var standsAlone = regexp.MustCompile(`(^|[^A-Za-z‹])([DEL])([^A-Za-z]|$)`)

// real puts settings of systemd in the place of the table's: two strings and a list.
func real(text string) string {
	text = strings.NewReplacer("x…1048573", "x…1048560", "x…1048574", "x…1048561").Replace(text) // the name is longer by 13
	for range 2 {                                                                                // matches share a character
		text = standsAlone.ReplaceAllStringFunc(text, func(m string) string {
			return strings.NewReplacer("D", "UtmpIdentifier", "E", "RebootArgument", "L", "Environment").Replace(m)
		})
	}
	return strings.NewReplacer("[U", "[Service", "[u", "[service", "[␣U", "[␣Service", "[S]", "[Unit]").Replace(text)
}

// What a text means must not depend on whether systemd reads it or we do and hand it on.
func TestSyntaxIsSystemds(t *testing.T) {
	host.Need(t, "systemd-nspawn", filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	cases, err := syntax.Read("../../units/testdata/lexer.txt")
	if err != nil || len(cases) < 78 {
		t.Fatal(len(cases), err)
	}
	var texts, shown []string
	for _, c := range cases {
		texts, shown = append(texts, syntax.Decode(real(c.File))), append(shown, c.File)
	}
	n := 300
	if host.Long() {
		n = 3000
	}
	for _, text := range randomTexts(n) {
		texts, shown = append(texts, text), append(shown, fmt.Sprintf("%q", text))
	}
	rejected := 0
	native, ours := pairs(t, texts, syntaxProperties)
	for i := range texts {
		bySystemd, byUs := refused(native[i], ours[i])
		if i < len(cases) && bySystemd != (cases[i].Want == "reject") {
			t.Errorf("%s: the table says %s, systemd %v", shown[i], cases[i].Want, native[i])
		}
		if bySystemd != byUs {
			t.Errorf("%.300s: refused by systemd: %v, by us: %v\n%v\n%v", shown[i], bySystemd, byUs, native[i], ours[i])
		}
		if bySystemd {
			rejected++
			continue
		}
		for _, property := range []string{"UtmpIdentifier", "RebootArgument", "Environment"} {
			if native[i][property] != ours[i][property] {
				t.Errorf("%.300s: %s is %.200q, of ours %.200q", shown[i], property, native[i][property], ours[i][property])
			}
		}
	}
	if rejected < 20 || rejected > len(texts)/2 {
		t.Errorf("%d of %d are refused: too few or too many to say anything", rejected, len(texts))
	}
}

// randomTexts are made of what a lexer may get wrong; the same ones every time.
func randomTexts(n int) (texts []string) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"[Service]", "[Unit]", "[X-a]", "[Nobody]", "\n", "\n", "\n", "\n", "\r", "\x00", "\\", "\\\n", "\\\n", " ", "\t", "#", ";", "=", "[", "]",
		"UtmpIdentifier=", "RebootArgument=", "Environment=A=", "UtmpIdentifier", "X-b=", "a", "b c", "\"", "'", "\v", "\u00a0", "\ufeff", "é", "%%",
	}
	for range n {
		var b strings.Builder
		b.WriteString("[Service]\n")
		for range 2 + r.IntN(24) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		if r.IntN(40) == 0 {
			b.WriteString("\xc3") // not UTF-8
		}
		texts = append(texts, b.String())
	}
	return texts
}

// taken are settings that a service of ours has of its own, or refuses: nothing to compare.
var taken = []string{
	"Type", "ExecStart", "ExecStartPre", "ExecStopPost", "ExecReload", "NotifyAccess", "Delegate", "KillMode", "PIDFile", "ExitType", "User", "Group", "DynamicUser", "BusName",
	"ProtectSystem", "ProtectControlGroups", "RestrictNamespaces", "SystemCallFilter", "DevicePolicy", "CapabilityBoundingSet",
	"RootDirectory", "RootImage", "ReadOnlyPaths", "DelegateSubgroup",
	// Loading the unit would already act, or there can be one only.
	"SuccessAction", "FailureAction", "Alias", "RefuseManualStart",
}

// Properties that differ because the units have different names, files and Exec lines.
var ownProperties = regexp.MustCompile(`^(Id|Names|FragmentPath|SourcePath|DropInPaths|Exec[A-Z].*|After|Requires|RequiresMountsFor|WantsMountsFor|SyslogIdentifier|LogExtraFields|.*Delegate.*|NotifyAccess|KillMode|` +
	`TimeoutStop.*|TimeoutAbort.*|UnitFileState|UnitFilePreset|.*Timestamp.*|InvocationID|Perpetual|Following|Triggers|TriggeredBy|Slice|WantedBy|RequiredBy|ConsistsOf|BoundBy|` +
	`Description|LogsDirectory.*|NeedDaemonReload|Documentation.*|Can.*|Transient)$`)

// Every unit of the distribution says the same to systemd when it came by way of us.
func TestRealUnitsPassThrough(t *testing.T) {
	host.Need(t, "systemd-nspawn", filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	paths, err := filepath.Glob("/usr/lib/systemd/system/*.*")
	if err != nil {
		t.Fatal(err)
	}
	var texts, names []string
	for _, path := range paths {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || strings.Contains(path, "@.") {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts, names = append(texts, sections(string(data), "Unit", "Service")), append(names, path)
	}
	if len(texts) < 60 {
		t.Fatalf("only %d units in /usr/lib/systemd/system", len(texts))
	}
	native, ours := pairs(t, texts, "--all")
	compared := 0
	for i := range texts {
		if bySystemd, byUs := refused(native[i], ours[i]); bySystemd || byUs {
			t.Errorf("%s: refused by systemd: %v (%s), by us: %v\n%s", names[i], bySystemd, native[i]["LoadError"], byUs, texts[i])
			continue
		}
		for property, value := range native[i] {
			if ownProperties.MatchString(property) {
				continue
			}
			compared++
			want, got := strings.ReplaceAll(value, "-native.service", "-ours.service"), ours[i][property]
			if dependencies[property] { // sets, which systemd shows in any order
				want, got = sorted(want), sorted(got)
			}
			if got != want {
				t.Errorf("%s: %s is %q, by way of us %q", names[i], property, want, got)
			}
		}
	}
	if compared < 100*len(texts) {
		t.Errorf("only %d properties compared", compared)
	}
}

var dependencies = map[string]bool{"Before": true, "Wants": true, "Conflicts": true, "Requisite": true, "BindsTo": true, "PartOf": true,
	"OnFailure": true, "OnSuccess": true, "PropagatesReloadTo": true, "ReloadPropagatedFrom": true, "JoinsNamespaceOf": true}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// sections keeps these sections of a unit file, without the settings that a container's service has of its own.
func sections(text string, names ...string) string {
	var b strings.Builder
	inside, dropping := false, false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		goesOn := strings.HasSuffix(trimmed, `\`)
		if dropping {
			dropping = goesOn
			continue
		}
		if strings.HasPrefix(trimmed, "[") {
			inside = slices.Contains(names, strings.Trim(trimmed, "[]"))
		}
		key, _, _ := strings.Cut(trimmed, "=")
		if !inside || slices.Contains(taken, key) {
			dropping = goesOn
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}
