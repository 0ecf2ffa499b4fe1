package units

import "strings"

// nearest is the word that s is most probably a misspelling of, "" if none is near.
// Case does not count. The first of equally near words wins.
func nearest(s string, words func(yield func(string) bool)) string {
	best, found := max(1, min(3, len(s)/3))+1, ""
	s = strings.ToLower(s)
	if len(s) > 64 {
		return ""
	}
	for w := range words {
		if d := distance(s, strings.ToLower(w)); d < best {
			best, found = d, w
		}
	}
	return found
}

// distance is the number of letters to insert, to remove, to replace, or of
// neighbours to swap, that make b of a (Levenshtein's, with Damerau's swaps).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
