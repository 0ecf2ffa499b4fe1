package units

import (
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseBool(t *testing.T) {
	for _, s := range strings.Fields("1 yes y true t on YES On") {
		if v, err := ParseBool(s); err != nil || !v {
			t.Error(s, v, err)
		}
	}
	for _, s := range strings.Fields("0 no n false f off NO") {
		if v, err := ParseBool(s); err != nil || v {
			t.Error(s, v, err)
		}
	}
	for _, s := range []string{"", "2", "01", "enabled", " yes", "ture"} {
		if _, err := ParseBool(s); err == nil {
			t.Errorf("%q is no boolean", s)
		}
	}
}

func TestParseTime(t *testing.T) {
	const year, month = 31557600 * time.Second, 2629800 * time.Second
	for in, want := range map[string]time.Duration{
		"5": 5 * time.Second, "5s": 5 * time.Second, "90sec": 90 * time.Second, "1h30min": 90 * time.Minute,
		"2min 200ms": 2*time.Minute + 200*time.Millisecond, "1h30": time.Hour + 30*time.Second, "0.5": time.Second / 2,
		".5": time.Second / 2, "1us": time.Microsecond, "1µs": time.Microsecond, "1m": time.Minute, "1M": month,
		"1month": month, "1w": 168 * time.Hour, "1y": year, "infinity": Infinity, "0": 0, "5 s": 5 * time.Second,
	} {
		if got, err := ParseTime(in); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"5S", "5x", "3.", "-1", "", "1.2.3", "999999999999999999y", "s", "1 infinity"} {
		if got, err := ParseTime(in); err == nil {
			t.Errorf("%s is no time, gave %v", in, got)
		}
	}
}

// systemd itself is the judge, for what a person writes and for what nobody would.
func TestParseTimeIsSystemds(t *testing.T) {
	program, err := osexec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("SYSCONTAINER_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	spans := []string{"5", "5 s", "1h -5", "+5", "1h +5", "+ 5", "5+", "5  6s", "1.9us", "0.0000001", "infinity ", "5sec3", "1e3", "0x5", "١", "1 infinity", "1.5.2", ".5", "+.5", "5.s", "µs", "1y1w"}
	random := rand.New(rand.NewPCG(1, 1))
	pieces := []string{"1", "90", "0", "2.5", ".25", " ", " ", "s", "sec", "second", "m", "min", "M", "month", "h", "hr", "d", "day", "w", "y", "ms", "us", "µs", "usec", "x", "-", "+", "."}
	for range 150 {
		span := "1"
		for range random.IntN(5) {
			span += pieces[random.IntN(len(pieces))]
		}
		spans = append(spans, span)
	}
	for _, span := range spans {
		out, err := osexec.Command(program, "timespan", "--", span).Output()
		want := ""
		if _, after, found := strings.Cut(string(out), "s: "); found && err == nil {
			want, _, _ = strings.Cut(after, "\n")
		}
		got := ""
		if d, err := ParseTime(span); err == nil && d == Infinity {
			got = "18446744073709551615"
		} else if err == nil {
			got = strconv.FormatInt(int64(d/time.Microsecond), 10)
		}
		if got != want {
			t.Errorf("%q: %q, systemd has %q", span, got, want)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for in, want := range map[string]string{"TERM": "SIGTERM", "SIGTERM": "SIGTERM", "sigint": "SIGINT", "15": "SIGTERM",
		"9": "SIGKILL", "34": "SIGRTMIN+0", "37": "SIGRTMIN+3", "SIGRTMIN+3": "SIGRTMIN+3", "RTMAX-1": "SIGRTMAX-1", "SIGRTMIN": "SIGRTMIN"} {
		if got, err := ParseSignal(in); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "-1", "65", "32", "SIGFOO", "SIGRTMIN+", "SIGRTMIN+31", "RTMIN-1", "TERM ", "+15"} {
		if got, err := ParseSignal(in); err == nil {
			t.Errorf("%q is no signal, gave %s", in, got)
		}
	}
}

func TestSpecifiers(t *testing.T) {
	name, err := ParseName(`a-b@c\x2dd-e`)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"%n": `a-b@c\x2dd-e.service`, "%N": `a-b@c\x2dd-e`, "%p": "a-b", "%P": "a/b", "%i": `c\x2dd-e`, "%I": "c-d/e",
		"%j": "b", "%J": "b", "%f": "/c-d/e", "%t%S%C%L%E": "/run/var/lib/var/cache/var/log/etc", "%T:%V:%h:%u:%U": "/tmp:/var/tmp:/root:root:0",
		"%d": `/run/credentials/a-b@c\x2dd-e.service`, "100%": "100%", "%%i": "%i", "%-%": "%-%", "a%%%%b": "a%%b", "%é": "%é", "": "",
	} {
		if got, err := name.Expand(in); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"%s", "%H", "%m", "%y", "%9", "%Z", "date +%Y"} {
		_, err := name.Expand(in)
		if err == nil || !strings.Contains(err.(*hinted).hint, "%%") {
			t.Errorf("%s: %v", in, err)
		}
	}
	template, _ := ParseName("a-b@")
	id := func(s string) string { return "<" + s + ">" }
	if got, err := template.Rewrite("%S/%i%%x%b", AllSpecifiers, id, id); err != nil || got != "<></var/lib></>%i<><%><x><%b><>" {
		t.Error(got, err)
	}
}

func TestParseName(t *testing.T) {
	for _, s := range []string{"a", "a.b", "a@", "a@b@c", `a\x2db`, "A:b_c-d", "0", strings.Repeat("x", 247)} {
		if _, err := ParseName(s); err != nil {
			t.Error(s, err)
		}
	}
	for _, s := range []string{"", "@", "@b", "a b", "a/b", "..", ".", "-a", "é", "a\nb", "a%b", strings.Repeat("x", 248), "a\x00"} {
		if _, err := ParseName(s); err == nil {
			t.Errorf("%q is a name", s)
		}
	}
	for s, want := range map[string]bool{"a.service": true, "a@.target": true, "a@b.socket": true, "a": false, ".service": false,
		"@.service": false, "../a.service": false, "a.foo": false, "a/b.service": false, strings.Repeat("x", 248) + ".service": false} {
		if IsUnitName(s) != want {
			t.Error(s, !want)
		}
	}
}
