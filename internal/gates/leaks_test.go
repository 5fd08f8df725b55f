package gates

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// TestLeaksAreWatched finds packages whose tests would not notice a goroutine that is left behind.
func TestLeaksAreWatched(t *testing.T) {
	t.Parallel()
	watched := make(map[string]bool)
	for _, f := range theTree(t).files {
		if f.isTest() {
			dir := f.dir()
			watched[dir] = watched[dir] || bytes.Contains(f.src, []byte("goleak.VerifyTestMain("))
		}
	}
	var findings []string
	for _, dir := range slices.Sorted(maps.Keys(watched)) {
		if !watched[dir] {
			findings = append(findings, dir+": no TestMain with goleak.VerifyTestMain")
		}
	}
	report(t, findings)
}
