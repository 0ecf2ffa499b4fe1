// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscontainer/test/host"
	"syscontainer/units"
)

// exec values, each the rest of an ExecStart= line and the value of an Exec=.
var execValues = []string{
	`"a b"c`, `a\ b`, `a\x20b`, `a\d`, `"a`, `'a`, `a"`, `"a'`, `a "" b`, `''`, `a 'a "b" c'`, `a"b c"d`, `"a\"b" 'a\'b'`, `\u00e9 \U0001f600`, `\101`,
	`a\sb`, `a;b`, `x='a'"b"c`, `\n\t\v\\\"\'`, `\400 \8 \x0 \x00 \000`, `a\`, "a\v\u00a0b", `{} ';' /usr/bin/id`, `$HOME ${HOME} $$`, `100%% %%n "%%"`, `é`,
	`\u0000`, `\ud800`, `\U00110000`, `-a --b=c @d !e +f :g |h`, `"a"'b'`, `""''`, `a#b #c ;d`, `\141\142\143`, "\ta\t\tb",
}

// environment values, of Environment= in [Service] and in [Container].
var environmentValues = []string{
	`VA=1 "VB=2 3" VA=4`, `VA="2 3"`, `'VA=a "b" c' VB=`, `VA=a\nb VB=\x41\u00e9`, `VA=$HOME VB=%%`, `VA=a=b=c`, `VA=#x VB=;`, `"VA=\"q\"" VB='`, `VA=a\sb`,
}

const showWords = `#!/bin/bash
# The arguments, and the variables whose names begin with V: in hexadecimal, one a line.
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; echo; }
{
	for word; do hex "$word"; done
	echo environment
	for name in $(compgen -e | LC_ALL=C sort); do case $name in V?) hex "$name=${!name}";; esac; done
	echo end
} >"/run/words/$SELF"
`

// A value means the same words to the payload as it would to a plain service.
func TestWordsAreSystemds(t *testing.T) {
	host.Need(t, "systemd-nspawn", filepath.Join(host.Stage(), "usr/bin/syscontainer"))
	n := 100
	if host.Long() {
		n = 1500
	}
	type value struct{ key, text string }
	var values []value
	for _, text := range slices.Concat(execValues, randomWords(n, "", "a", "b c")) {
		values = append(values, value{"Exec", text})
	}
	for _, text := range slices.Concat(environmentValues, randomWords(n, "VA=", "VB=", `"VC=`)) {
		values = append(values, value{"Environment", text})
	}
	files := map[string]string{"/opt/show-words": showWords}
	for i, v := range values {
		exec, environment := "", ""
		if v.key == "Exec" {
			exec = " " + v.text
		} else {
			environment = "Environment=" + v.text + "\n"
		}
		files[fmt.Sprintf("/etc/systemd/system/words-%d.service", i)] = fmt.Sprintf(
			"[Service]\nType=oneshot\nEnvironment=SELF=%d\n%sExecStart=:/opt/show-words%s\n", i, environment, exec)
	}
	res := host.Run(t, host.Options{Files: files, Script: fmt.Sprintf(`{ set +x; } 2>/dev/null
mkdir /run/words
systemctl start words-{0..%[1]d}.service 2>/dev/null || :
for i in $(seq 0 %[1]d); do
	[ ! -e /run/words/$i ] || cat /run/words/$i
	echo next
done
`, len(values)-1)})
	if res.Exit != 0 {
		t.Fatal(res)
	}
	answers := strings.Split(strings.TrimSuffix(res.Stdout, "next\n"), "next\n")
	if len(answers) != len(values) {
		t.Fatalf("%d answers to %d values", len(answers), len(values))
	}
	both := 0
	for i, v := range values {
		c, err := units.ReadGenerated(strings.NewReader("[X-Container]\nImage=q.io/a\n"+v.key+"="+v.text+"\n"), "words.service", nil)
		words, environment, started := strings.Cut(answers[i], "environment\n")
		switch {
		case v.key == "Exec" && started != (err == nil):
			if err == nil || !strings.Contains(err.Error(), "not valid UTF-8") { // no runtime would take it
				t.Errorf("Exec=%s: starts with systemd: %v, ours: %v", v.text, started, err)
			}
		case err != nil: // systemd leaves out what we refuse
			if got := decodeHex(t, strings.TrimSuffix(environment, "end\n")); len(got) > 3 {
				t.Errorf("Environment=%s: %v, systemd takes %q", v.text, err, got)
			}
		case v.key == "Exec":
			both++
			if got := decodeHex(t, words); !slices.Equal(got, c.Exec) {
				t.Errorf("Exec=%s: %q, systemd reads %q", v.text, c.Exec, got)
			}
		default:
			both++
			want := slices.DeleteFunc(slices.Sorted(slices.Values(c.Environment)), func(s string) bool {
				return len(s) < 3 || s[0] != 'V' || s[2] != '=' // bash shows no other names
			})
			if got := decodeHex(t, strings.TrimSuffix(environment, "end\n")); !slices.Equal(got, want) {
				t.Errorf("Environment=%s: %q, systemd reads %q", v.text, want, got)
			}
		}
	}
	if both < len(values)/4 {
		t.Errorf("only %d of %d are accepted by both", both, len(values))
	}
}

func decodeHex(t *testing.T, lines string) (words []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		b, err := hex.DecodeString(strings.TrimSuffix(line, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, string(b))
	}
	return words
}

// randomWords are values made of what a splitter may get wrong; no lone ; which is syntax of Exec lines only, no
// control characters, which systemd keeps out of environments.
func randomWords(n int, starts ...string) (values []string) {
	r := rand.New(rand.NewPCG(3, uint64(len(starts[0]))))
	pieces := []string{`"`, `"`, `'`, `'`, " ", " ", "\t", `\\`, `\"`, `\'`, `\s`, `\x41`, `\u00e9`, `\101`, `\n`, `\q`, `\x4`, "a", "b", "é", "\u00a0", "x;", "$", "%%", "=", "#"}
	for range n {
		var b strings.Builder
		for range 1 + r.IntN(3) {
			b.WriteString(starts[r.IntN(len(starts))])
			for range r.IntN(6) {
				b.WriteString(pieces[r.IntN(len(pieces))])
			}
			b.WriteString([]string{" ", " ", `" `, "' "}[r.IntN(4)])
		}
		values = append(values, strings.TrimSpace(b.String())+"z")
	}
	return values
}
