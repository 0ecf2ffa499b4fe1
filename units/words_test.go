package units

import (
	"reflect"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	fail := []string{"error"}
	for _, c := range []struct {
		in   string
		mode mode
		want []string
	}{
		{`"a b"c`, exec, []string{"a bc"}}, {`"a b"c`, cWord, []string{"a bc"}}, {`"a b"c`, plain, []string{"a bc"}},
		{`a\ b`, exec, []string{`a\ b`}}, {`\é`, exec, []string{`\é`}},
		{`a\ b`, cWord, fail}, {`a\ b`, plain, []string{`a\`, "b"}},
		{`a\x20b`, exec, []string{"a b"}}, {`a\x20b`, cWord, []string{"a b"}}, {`a\x20b`, plain, []string{`a\x20b`}},
		{`a\d`, exec, []string{`a\d`}}, {`a\d`, cWord, fail}, {`a\d`, plain, []string{`a\d`}},
		{`"a`, exec, fail}, {`'a`, cWord, fail}, {`a"`, plain, fail}, {`"a'`, exec, fail},
		{`a "" b`, exec, []string{"a", "", "b"}}, {`''`, cWord, []string{""}},
		{`a 'a "b" c'`, exec, []string{"a", `a "b" c`}},
		{`a"b c"d`, exec, []string{"ab cd"}}, {`"a\"b" 'a\'b'`, exec, []string{`a"b`, `a'b`}},
		{`\xe9`, exec, []string{"\xe9"}}, {`\u00e9`, exec, []string{"é"}}, {`\U0001f600`, exec, []string{"😀"}},
		{`\101`, exec, []string{"A"}}, {`a\sb`, exec, []string{"a b"}}, {`a;b`, exec, []string{"a;b"}},
		{`x='a'"b"c`, exec, []string{"x=abc"}}, {`\a\b\f\n\r\t\v\\\"\'`, cWord, []string{"\a\b\f\n\r\t\v\\\"'"}},
		{`\;`, exec, []string{`\;`}}, {`\$`, cWord, fail}, {`\8`, cWord, fail}, {`\400`, cWord, fail}, {`\000`, cWord, fail},
		{`\x0`, cWord, fail}, {`\x00`, cWord, fail}, {`\`, cWord, fail}, {`\`, exec, []string{`\`}},
		{`\u0000`, cWord, fail}, {`\ud800`, cWord, []string{"\xed\xa0\x80"}}, {`\U00110000`, cWord, fail}, {`\Uffffffff`, cWord, fail},
		{`"a b"c`, literal, []string{"a bc"}}, {`a\ b`, literal, []string{"a b"}}, {`a\x20b`, literal, []string{"ax20b"}}, {`a\d`, literal, []string{"ad"}},
		{`"a\"b" \" 'c\'d'`, literal, []string{`a"b`, `"`, "c'd"}}, {`"a`, literal, fail}, {`a\`, literal, []string{`a\`}},
		{" \t ", exec, nil}, {"", exec, nil}, {"a\v\u00a0b", exec, []string{"a\v\u00a0b"}},
		{`find / -exec echo {} ';' /usr/bin/id`, exec, []string{"find", "/", "-exec", "echo", "{}", ";", "/usr/bin/id"}},
	} {
		got, warnings, err := split(c.in, c.mode)
		if err != nil {
			got = fail
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s in mode %d: %q, want %q", c.in, c.mode, got, c.want)
		}
		if kept := c.mode == exec && (strings.Contains(c.in, `\d`) || strings.Contains(c.in, `\;`) || c.in == `a\ b` || c.in == `\é` || c.in == `\`); kept != (len(warnings) > 0) {
			t.Errorf("%s: warnings %v", c.in, warnings)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{`a "b c" 'd'`, `\x41\u00e9\U0001f600\101\s`, `"a\"`, `\`, `a\ b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range []mode{plain, cWord, exec} {
			words, _, err := split(s, m)
			if err != nil && words != nil {
				t.Fatal("words with an error")
			}
			for _, w := range words {
				if strings.Contains(w, "\x00") && !strings.Contains(s, "\x00") {
					t.Fatalf("%q made a NUL", s)
				}
			}
		}
		if words, err := jsonWords("[" + s + "]"); err == nil && words == nil {
			t.Fatal("nil without an error")
		}
	})
}

func TestJSONWords(t *testing.T) {
	for in, want := range map[string][]string{
		`[]`: {}, `[ "a" , "b c" ]`: {"a", "b c"}, `["\"\\\/\b\f\n\r\t"]`: {"\"\\/\b\f\n\r\t"},
		`["é\ud83d\ude00"]`: {"é😀"}, `[""]`: {""},
		`[`: nil, `["a"`: nil, `["a",]`: nil, `[1]`: nil, `["a" "b"]`: nil, `["\x41"]`: nil, `["\u12"]`: nil, `["\ud83d"]`: nil,
		`["\u0000"]`: nil, "[\"\x01\"]": nil, `["a"] x`: nil, `["a\`: nil, `["\ud83d\u0041"]`: nil,
	} {
		if got, err := jsonWords(in); !reflect.DeepEqual(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
}
