package units

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

func sizeForm(_ *scope, s string) (int64, []error, error) {
	size, err := parseSize(unquote(s))
	return size, nil, err
}

// parseSize reads a size as podman does: a number, with or without a fraction, of
// bytes, or of k, m, g, t, p or e of them, to the base of 1024; KB and KiB are the
// same. Unlike podman it takes no exponent.
func parseSize(s string) (int64, error) {
	bad := func() error { return wrong(`for example "64m", "1.5G" or "1048576"`, quote(s), " is no size") }
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '.') {
		n++
	}
	number, unit := s[:n], strings.ToLower(strings.TrimPrefix(s[n:], " "))
	if number == "" || !isDigit(number[0]) || !isDigit(number[n-1]) || s[n:] == " " {
		return 0, bad()
	}
	factor := 1.0
	if unit != "" && unit != "b" {
		power := strings.IndexByte("kmgtpe", unit[0]) + 1
		if rest := unit[1:]; power == 0 || rest != "" && rest != "b" && rest != "ib" {
			return 0, bad()
		}
		factor = float64(int64(1) << (10 * power))
	}
	if strings.IndexByte(number, '.') < 0 {
		whole, err := strconv.ParseInt(number, 10, 64)
		if err != nil || whole > math.MaxInt64/int64(factor) {
			return 0, wrong("", quote(s), " is too large")
		}
		return whole * int64(factor), nil
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, bad()
	}
	if value *= factor; value >= math.MaxInt64 {
		return 0, wrong("", quote(s), " is too large")
	}
	return int64(value), nil
}

// pidsForm reads a number of processes; podman's 0 and -1 mean no limit.
func pidsForm(_ *scope, s string) (int64, []error, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < -1 || s[0] == '+' {
		return 0, nil, wrong("write a number, or -1 for no limit", quote(s), " is no number of processes")
	}
	if n == 0 {
		n = -1
	}
	return n, nil, nil
}

// ulimitNames are the limits of setrlimit(2).
var ulimitNames = [...]string{"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
	"rss", "rtprio", "rttime", "sigpending", "stack"}

// ulimitForm reads NAME=SOFT[:HARD]. "host" changes nothing: a payload inherits the
// limits of its service.
func ulimitForm(_ *scope, s string) ([]Ulimit, []error, error) {
	const form = "the form is NAME=SOFT or NAME=SOFT:HARD, for example nofile=1024:4096"
	words, _, err := split(s, plain)
	if err != nil {
		return nil, nil, err
	}
	var limits []Ulimit
	for _, w := range words {
		if w == "host" {
			continue
		}
		name, value, found := strings.Cut(w, "=")
		if !found {
			return nil, nil, wrong(form, quote(w), " is no limit")
		}
		if !slices.Contains(ulimitNames[:], name) {
			hint := "see prlimit(1): " + strings.Join(ulimitNames[:], ", ")
			if near := nearest(name, slices.Values(ulimitNames[:])); near != "" {
				hint = "did you mean " + quote(near) + "?"
			}
			return nil, nil, wrong(hint, quote(name), " is no limit")
		}
		u := Ulimit{Name: "RLIMIT_" + strings.ToUpper(name)}
		soft, hard, both := strings.Cut(value, ":")
		if u.Soft, err = parseLimit(soft); err == nil {
			if u.Hard = u.Soft; both {
				u.Hard, err = parseLimit(hard)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		if u.Soft > u.Hard {
			return nil, nil, wrong(form, quote(w), ": the soft limit is above the hard one")
		}
		limits = append(limits, u)
	}
	return limits, nil, nil
}

func parseLimit(s string) (uint64, error) {
	if s == "-1" || s == "unlimited" || s == "infinity" {
		return math.MaxUint64, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, wrong("write a number, or unlimited", quote(s), " is no value of a limit")
	}
	return n, nil
}
