// SPDX-License-Identifier: Apache-2.0

// Package syntax reads the table of unit files and what systemd makes of them, units/testdata/lexer.txt. Two tests judge
// by it: that of our lexer, and one that shows each file to a real systemd.
package syntax

import (
	"encoding/hex"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Case is a file and what comes of it: assignments in order, separated by blanks, or "reject"; signs as in the table.
type Case struct{ File, Want string }

// Read returns the cases of a table.
func Read(table string) (cases []Case, err error) {
	data, err := os.ReadFile(table)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if in, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " => "); ok && !strings.HasPrefix(line, "# ") {
			if rest, ok := strings.CutPrefix(in, "+"); ok {
				in = "[U]⏎" + rest
			}
			cases = append(cases, Case{in, want})
		}
	}
	return cases, nil
}

var (
	repeated = regexp.MustCompile(`x…(\d+)`)
	bytesOf  = regexp.MustCompile(`‹([0-9A-F ]+)›`)
	signs    = strings.NewReplacer("⏎", "\n", "␍", "\r", "␀", "\x00", "␣", " ", "⇥", "\t")
)

// Decode replaces the signs of the table by what they stand for.
func Decode(s string) string {
	s = repeated.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(m, "x…"))
		return strings.Repeat("x", n)
	})
	s = bytesOf.ReplaceAllStringFunc(s, func(m string) string {
		b, _ := hex.DecodeString(strings.ReplaceAll(strings.Trim(m, "‹›"), " ", ""))
		return string(b)
	})
	return signs.Replace(s)
}

// HasBytes tells whether signs for single bytes are in s, which may have blanks in them.
func HasBytes(s string) bool { return bytesOf.MatchString(s) }
