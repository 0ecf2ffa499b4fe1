package units

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseBool reads a boolean as systemd does.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, wrong("write yes or no", quote(s), " is no boolean")
}

// Infinity is a time span that never ends.
const Infinity time.Duration = math.MaxInt64

var timeUnits = []struct {
	words string
	span  time.Duration
}{
	{"seconds second sec s", time.Second},
	{"minutes minute min m", time.Minute},
	{"months month M", 2629800 * time.Second},
	{"msec ms", time.Millisecond},
	{"hours hour hr h", time.Hour},
	{"days day d", 24 * time.Hour},
	{"weeks week w", 7 * 24 * time.Hour},
	{"years year y", 31557600 * time.Second},
	{"usec us µs μs", time.Microsecond},
}

// ParseTime reads a time span (systemd.time(7)); a number alone is in seconds, "infinity" is
// Infinity.
func ParseTime(s string) (time.Duration, error) {
	bad := func() error { return wrong(`for example "30", "30s" or "1min 30s"`, quote(s), " is no time span") }
	rest := strings.Trim(s, white)
	if rest == "infinity" {
		return Infinity, nil
	}
	if rest == "" {
		return 0, bad()
	}
	var sum float64
	for rest != "" {
		if len(rest) > 1 && rest[0] == '+' && isDigit(rest[1]) {
			rest = rest[1:]
		}
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		number := rest[:n]
		if number == "" || strings.HasSuffix(number, ".") {
			return 0, bad()
		}
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, bad()
		}
		rest = strings.TrimLeft(rest[n:], white)
		span := time.Second
		if n = strings.IndexAny(rest, "0123456789.+ \t"); n < 0 {
			n = len(rest)
		}
		if word := rest[:n]; word != "" {
			if span = timeUnit(word); span == 0 {
				return 0, bad()
			}
		}
		rest = strings.TrimLeft(rest[n:], white)
		sum += value * float64(span)
	}
	if sum >= math.MaxInt64 {
		return 0, wrong("", quote(s), " is too long")
	}
	return time.Duration(sum), nil
}

func timeUnit(word string) time.Duration {
	for _, u := range timeUnits {
		for w := range strings.SplitSeq(u.words, " ") {
			if w == word {
				return u.span
			}
		}
	}
	return 0
}

// signalNames of Linux, by number (signal(7)); the same on all its usual
// architectures but MIPS, SPARC, Alpha and PA-RISC.
var signalNames = [...]string{1: "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
	"PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM",
	"PROF", "WINCH", "IO", "PWR", "SYS"}

const (
	realtimeFirst = 34 // SIGRTMIN of glibc
	realtimeLast  = 64
)

// ParseSignal reads a signal by name, with or without SIG, or by number, and gives
// the name that KillSignal= takes.
func ParseSignal(s string) (string, error) {
	bad := func() error { return wrong(`for example "SIGTERM" or "SIGRTMIN+3"`, quote(s), " is no signal") }
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, err := strconv.Atoi(s); err == nil && s[0] != '+' {
		switch {
		case n > 0 && n < len(signalNames):
			return "SIG" + signalNames[n], nil
		case n >= realtimeFirst && n <= realtimeLast:
			return "SIGRTMIN+" + strconv.Itoa(n-realtimeFirst), nil
		}
		return "", bad()
	}
	for n, known := range signalNames {
		if n > 0 && known == name {
			return "SIG" + known, nil
		}
	}
	for _, base := range []struct {
		name string
		sign byte
	}{{"RTMIN", '+'}, {"RTMAX", '-'}} {
		rest, ok := strings.CutPrefix(name, base.name)
		if !ok {
			continue
		}
		if rest == "" {
			return "SIG" + base.name, nil
		}
		if n, err := strconv.Atoi(rest[1:]); rest[0] == base.sign && err == nil && rest[1] != '+' && n >= 0 && n <= realtimeLast-realtimeFirst {
			return "SIG" + base.name + string(base.sign) + strconv.Itoa(n), nil
		}
	}
	return "", bad()
}
