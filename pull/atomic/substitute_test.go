package atomic

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	values := map[string]string{"NAME": "web", "A": "x", "_b1": "y", "DOLLAR": "$A", "EMPTY": ""}
	for text, want := range map[string]string{
		"":                        "",
		"plain":                   "plain",
		"$NAME":                   "web",
		"${NAME}d":                "webd",
		"$NAME.y $NAME-":          "web.y web-",
		"$$":                      "$",
		"$$$A":                    "$x",
		"$$$$":                    "$$",
		"$${A}":                   "${A}",
		"[$_b1]$A$A":              "[y]xx",
		"$DOLLAR":                 "$A",
		"é$A":                     "éx",
		"$NAMEd":                  "error: The template file 'F' still contains an unreplaced value for: ''NAMEd''",
		"$B $A ${C}\n$B":          "error: The template file 'F' still contains an unreplaced value for: ''B'', ''C''",
		"$5":                      "error: F: Invalid placeholder in string: line 1, col 1",
		"a\nb $ c":                "error: F: Invalid placeholder in string: line 2, col 3",
		"é\né$":                   "error: F: Invalid placeholder in string: line 2, col 2",
		"100%$":                   "error: F: Invalid placeholder in string: line 1, col 5",
		"${}":                     "error: F: Invalid placeholder in string: line 1, col 1",
		"${a.b}":                  "error: F: Invalid placeholder in string: line 1, col 1",
		"${A":                     "error: F: Invalid placeholder in string: line 1, col 1",
		"$B $$ $!":                "error: F: Invalid placeholder in string: line 1, col 7",
		"$\u00e9":                 "error: F: Invalid placeholder in string: line 1, col 1",
		"${EMPTY}${EMPTY}$EMPTY.": ".",
	} {
		got, err := Template{File: "F", Text: text}.Expand(values)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What stands in a string of JSON arrives as it is; what stands outside may continue the list.
func TestExpandJSON(t *testing.T) {
	values := map[string]string{
		"V":    "a\"b\\c\n\t\x01%n$PATH é",
		"MORE": `, {"k": "v}"}`,
		"END":  `\"`,
	}
	const text = `{"env": ["A=$V", "B=\"$V\"", "$END"], "list": [ {"x": "\\"} $MORE ], "after": "${V}"}`
	out, err := Template{File: "F", Text: text, JSON: true}.Expand(values)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Env   []string
		List  []map[string]string
		After string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	v := values["V"]
	for i, want := range []string{"A=" + v, `B="` + v + `"`, values["END"]} {
		if got.Env[i] != want {
			t.Errorf("env %d: %q, want %q", i, got.Env[i], want)
		}
	}
	if len(got.List) != 2 || got.List[1]["k"] != "v}" || got.After != v {
		t.Errorf("%+v", got)
	}
}

func TestVariables(t *testing.T) {
	if got := strings.Join(Variables("$B ${A} $$C $B $_"), " "); got != "B A _" {
		t.Error(got)
	}
}

// judge has Python do to each input what it once did with the images.
func judge(t *testing.T, program string, inputs any, outputs any) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal("needs python3")
		}
		t.Skip("needs python3")
	}
	in, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", program)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v: %s", err, err.(*exec.ExitError).Stderr)
	}
	if err := json.Unmarshal(out, outputs); err != nil {
		t.Fatal(err)
	}
}

func TestExpandIsPythons(t *testing.T) {
	values := map[string]string{"A": "1", "Ab": "$A", "_": "", "a0": "}"}
	pieces := []string{"$", "$$", "{", "}", "A", "Ab", "_", "a0", "b", " ", "\n", "é", ".", "-", "9", "${A}", "$A", "ſ", "İ", "\r", "\u2028"}
	texts := make([]string, 20000)
	for i := range texts {
		var b strings.Builder
		for range rand.IntN(9) {
			b.WriteString(pieces[rand.IntN(len(pieces))])
		}
		texts[i] = b.String()
	}
	var want []string
	judge(t, `
import json, string, sys
values, texts = json.load(sys.stdin)
out = []
for text in texts:
    try:
        out.append(string.Template(text).substitute(values))
    except KeyError as e:
        out.append("missing")
    except ValueError as e:
        out.append("error: " + str(e))
json.dump(out, sys.stdout)
`, []any{values, texts}, &want)
	for i, text := range texts {
		got, err := Template{Text: text}.Expand(values)
		switch err := err.(type) {
		case *MissingError:
			got = "missing"
		case *PlaceholderError:
			got = "error: " + strings.TrimPrefix(err.Error(), ": ")
			if want[i] == "missing" {
				got = "missing" // Python stops at the first of both
			}
		}
		if got != want[i] && !strings.ContainsAny(text, "\r\u2028") { // lines end elsewhere for Python
			t.Errorf("%q: %q, Python has %q", text, got, want[i])
		}
	}
}
