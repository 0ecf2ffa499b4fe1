package units

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"syscontainer/test/syntax"
)

func lexCases(t testing.TB) []syntax.Case {
	t.Helper()
	cases, err := syntax.Read("testdata/lexer.txt")
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// The table is systemd's behaviour, found by running it.
func TestLexerDoesAsSystemd(t *testing.T) {
	cases := lexCases(t)
	if len(cases) != 78 {
		t.Fatalf("%d cases in testdata/lexer.txt, not 78", len(cases))
	}
	for _, c := range cases {
		lines, warnings, refused := lex("f", syntax.Decode(c.File))
		var got []string
		for _, l := range lines {
			section := "[" + l.Section + "]"
			if l.Section == "U" {
				section = ""
			}
			got = append(got, section+l.Key+"="+l.Value)
		}
		for _, w := range warnings {
			got = append(got, fmt.Sprintf("warn %d", w.Line))
		}
		if refused != nil {
			got = []string{"reject"}
		}
		want := strings.Split(strings.Replace(c.Want, "warn ", "warn=", 1), " ")
		if syntax.HasBytes(c.Want) {
			want = []string{c.Want} // one assignment, with blanks between the bytes
		}
		for i := range want {
			want[i] = strings.Replace(syntax.Decode(want[i]), "warn=", "warn ", 1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.80s\n got %.200q\nwant %.200q", c.File, got, want)
		}
	}
}

// A message names the line on which a person began to write.
func TestLexerCountsFirstLines(t *testing.T) {
	lines, _, _ := lex("f", "# c\n[A]\nB=1 \\\n# d\n  2\nC=3\r\nD=4\n\nE=\\\n\n\nF=6")
	var got []string
	for _, l := range lines {
		got = append(got, fmt.Sprintf("%s%d", l.Key, l.Line))
	}
	if s := strings.Join(got, " "); s != "B3 C6 D7 E9 F12" {
		t.Error(s)
	}
	for text, want := range map[string]string{
		"[A]\nB=1\\\n\xff": "f:2: not valid UTF-8",
		"\n[A\n":           `f:2: section header "[A" has no ] at its end`,
		"[A]\n\n[B\\x]":    `f:3: section header "[B\\x]" has a quote, a backslash or a control character in it`,
	} {
		_, _, refused := lex("f", text)
		if refused == nil || refused.Error() != want {
			t.Errorf("%q: %v, want %s", text, refused, want)
		}
	}
}

// A cursor goes where the key or the value begins, in the line that a person sees.
func TestLexerCountsColumns(t *testing.T) {
	for text, want := range map[string]string{
		"[A]\nB=1":                       "2:1:3",
		"[A]\n \tB  =  1":                "2:3:9",
		"\ufeff[A]\nB=1":                 "2:1:3",
		"[A]\n\ufeffB=1":                 "2:4:6",
		"[A]\n\ufeff B = \\\n 1":         "2:5:0",
		"[A]\nB=":                        "2:1:3",
		"[A]\nB=  ":                      "2:1:3",
		"[A]\nB=1 \\\n# c\n 2":           "2:1:3",
		"[A]\nB=\\\n  1":                 "2:1:0",
		"[A]\nB \\\n = 1":                "2:1:0",
		"[A]\n\\\n B=1":                  "2:0:0",
		"[A]\r\nB=1\r\n":                 "2:1:3",
		"[A]\nÄ=ö":                       "2:1:4",
		"# c\n[A]\n  # c\nX-B=\t\"q\"\n": "4:1:6",
	} {
		lines, _, _ := lex("f", text)
		if len(lines) != 1 {
			t.Fatalf("%q: %v", text, lines)
		}
		if got := fmt.Sprintf("%d:%d:%d", lines[0].Line, lines[0].Column, lines[0].ValueColumn); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]int{"[A]\n  garbage": 3, "  B=1": 3, "[A]\n =x": 2} {
		if _, warnings, _ := lex("f", text); len(warnings) != 1 || warnings[0].Column != want {
			t.Errorf("%q: %+v, want column %d", text, warnings, want)
		}
	}
	if _, _, refused := lex("f", " [A"); refused.Column != 2 {
		t.Errorf("%+v", refused)
	}
}

// A file that is refused still says where it was wanted.
func TestLexerKeepsInstallOfRefusedFiles(t *testing.T) {
	for _, text := range []string{
		"[Install]\nWantedBy=a\n[Container]\nExec=\xff\nImage=x\n[Install]\nAlias=b",
		"[Container\nImage=x\n[Install]\nWantedBy=a\nAlias=b\n[bad\nAlias=c\n",
		"[Install]\nWantedBy=a\nAlias=b\n[X]\nA=" + strings.Repeat("x", 1<<20) + "\n[Install]\nAlias=c",
	} {
		lines, warnings, refused := lex("f", text)
		var got []string
		for _, l := range lines {
			got = append(got, l.Section+" "+l.Key+"="+l.Value)
		}
		if refused == nil || len(warnings) > 0 || !slices.Equal(got, []string{"Install WantedBy=a", "Install Alias=b"}) {
			t.Errorf("%.60q: %q %v %v", text, got, warnings, refused)
		}
	}
}

// Joining a million short lines must not take the square of their number.
func TestLexerJoinsInLinearTime(t *testing.T) {
	_, _, refused := lex("f", "[A]\nB=\\\n"+strings.Repeat("\\\n", 2<<20))
	if refused == nil || refused.Line != 2 {
		t.Error(refused)
	}
}

// Neither must looking for a terminator that does not come.
func TestLexerCutsInLinearTime(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\x00"} {
		lines, warnings, refused := lex("f", "[A]"+end+"B=1"+end+strings.Repeat("#"+end, 4<<20)+"C=1")
		if len(lines) != 2 || lines[1].Line != 4<<20+3 || len(warnings) > 0 || refused != nil {
			t.Errorf("%q: %d lines, %v %v", end, len(lines), warnings, refused)
		}
	}
}

// What was lexed and is written as Key=value lines is lexed the same: nothing is
// lost, and no value becomes a second line.
func FuzzLexer(f *testing.F) {
	for _, c := range lexCases(f) {
		if text := syntax.Decode(c.File); len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, _, refused := lex("f", text)
		if refused != nil {
			if refused.Line < 1 || slices.ContainsFunc(lines, func(l Line) bool { return l.Section != "Install" }) {
				t.Fatal(lines, refused)
			}
			return
		}
		var b strings.Builder
		var kept []Line
		for _, l := range lines {
			if strings.ContainsAny(l.Key+l.Value+l.Section, "\n\r\x00") || l.Key == "" {
				t.Fatalf("%+v", l)
			}
			if l.Key[0] == '#' || l.Key[0] == ';' || strings.HasPrefix(l.Key, "\ufeff") || strings.HasSuffix(l.Key, `\`) {
				continue
			}
			fmt.Fprintf(&b, "[%s]\n%s=%s \n", l.Section, l.Key, l.Value)
			kept = append(kept, l)
		}
		again, warnings, refused := lex("f", b.String())
		if refused != nil || len(warnings) > 0 || len(again) != len(kept) {
			t.Fatal(refused, warnings, again)
		}
		for i := range kept {
			if again[i].Key != kept[i].Key || again[i].Value != kept[i].Value || again[i].Section != kept[i].Section {
				t.Fatalf("%+v became %+v", kept[i], again[i])
			}
		}
	})
}
