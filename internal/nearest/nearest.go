// Package nearest finds the name that somebody probably meant.
package nearest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Hint returns ` (did you mean "NAME"?)` with the candidate that is closest to name, or "" when none is close. Case
// does not count.
func Hint(name string, candidates []string) string {
	best, distance := "", len(name)/3+2
	for _, c := range candidates {
		if d := edits(strings.ToLower(name), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// Names returns up to n candidates that are close to name, the closest first. Case does not count.
func Names(name string, candidates []string, n int) []string {
	type distant struct {
		name string
		d    int
	}
	var near []distant
	for _, c := range candidates {
		if d := edits(strings.ToLower(name), strings.ToLower(c)); d < len(name)/3+2 {
			near = append(near, distant{c, d})
		}
	}
	slices.SortStableFunc(near, func(a, b distant) int { return cmp.Compare(a.d, b.d) })
	var names []string
	for _, c := range near[:min(n, len(near))] {
		names = append(names, c.name)
	}
	return names
}

// edits is the Levenshtein distance of a and b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
