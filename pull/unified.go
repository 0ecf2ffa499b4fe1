package main

import (
	"fmt"
	"strings"

	"syscontainer/units"
)

// unified is the difference of two texts as diff -u prints it, without times; "" if they are equal. What could move a cursor
// is made visible.
func unified(fromName, toName, from, to string) string {
	if from == to {
		return ""
	}
	a, b := textLines(from), textLines(to)
	edits := editScript(a, b)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", units.Printable(fromName), units.Printable(toName))
	const context = 3
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i++
			continue
		}
		first := max(0, i-context)
		last := i // one behind the last change of this hunk
		for j := i; j < len(edits) && j <= last+2*context; j++ {
			if edits[j].op != ' ' {
				last = j + 1
			}
		}
		end := min(len(edits), last+context)
		var removed, added int
		var body strings.Builder
		for _, e := range edits[first:end] {
			if e.op != '+' {
				removed++
			}
			if e.op != '-' {
				added++
			}
			text, missing := strings.CutSuffix(e.text, "\n")
			body.WriteString(string(e.op) + printableLine(text) + "\n")
			if !missing {
				body.WriteString("\\ No newline at end of file\n")
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n%s", hunkRange(edits[first].a, removed), hunkRange(edits[first].b, added), body.String())
		i = end
	}
	return out.String()
}

// printableLine leaves tabs as they are.
func printableLine(s string) string {
	parts := strings.Split(s, "\t")
	for i := range parts {
		parts[i] = units.Printable(parts[i])
	}
	return strings.Join(parts, "\t")
}

// hunkRange is the place of a hunk; of an empty one the line before it.
func hunkRange(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

// textLines keeps the line ends.
func textLines(s string) []string {
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// edit is a line of both texts, or of one; a and b are how many lines of each come before it.
type edit struct {
	op   byte // ' ', '-' or '+'
	text string
	a, b int
}

// editScript finds a longest common subsequence. Lines in the middle of more than a few thousand are replaced as a whole.
func editScript(a, b []string) (edits []edit) {
	head, tail := 0, 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for i := range head {
		edits = append(edits, edit{' ', a[i], i, i})
	}
	i, j, m, n := head, head, len(a)-tail, len(b)-tail
	const most = 16 << 20
	if common := longest(a[i:m], b[j:n], most); common != nil {
		for i < m && j < n {
			switch {
			case a[i] == b[j]:
				edits = append(edits, edit{' ', a[i], i, j})
				i, j = i+1, j+1
			case common[i+1-head][j-head] >= common[i-head][j+1-head]:
				edits = append(edits, edit{'-', a[i], i, j})
				i++
			default:
				edits = append(edits, edit{'+', b[j], i, j})
				j++
			}
		}
	}
	for ; i < m; i++ {
		edits = append(edits, edit{'-', a[i], i, j})
	}
	for ; j < n; j++ {
		edits = append(edits, edit{'+', b[j], i, j})
	}
	for ; i < len(a); i, j = i+1, j+1 {
		edits = append(edits, edit{' ', a[i], i, j})
	}
	return edits
}

// longest gives for each pair of ends of two texts how many lines they have in common; nil if that were too large.
func longest(a, b []string, most int) [][]int32 {
	if (len(a)+1)*(len(b)+1) > most {
		return nil
	}
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
