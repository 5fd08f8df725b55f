package matrix

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestComplete: for every feature, direction and kind there is a case, unless the source has no such thing.
func TestComplete(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, g := range cases(t) {
		for _, feature := range slices.Concat(g.features, g.lostFeatures) {
			covered[key(feature, g.dir, g.kind)] = true
		}
	}
	var missing []string
	all := 0
	for _, kind := range kinds() {
		for _, dir := range directions() {
			for _, feature := range features() {
				if !has(dir.from, kind, feature) {
					continue
				}
				all++
				if k := key(feature, dir, kind); !covered[k] {
					missing = append(missing, k)
				}
			}
		}
	}
	t.Logf("%d of %d combinations have a case", all-len(missing), all)
	if len(missing) > 0 {
		t.Errorf("no case for:\n%s", strings.Join(missing, "\n"))
	}
}

func key(feature string, dir direction, kind string) string {
	return fmt.Sprintf("%s %s %s", dir, kind, feature)
}

// TestHeads: a case says what it is, and claims nothing that its source does not have.
func TestHeads(t *testing.T) {
	t.Parallel()
	known := features()
	rules := map[string]string{}
	for _, g := range cases(t) {
		if !slices.Contains(directions(), g.dir) || !slices.Contains(kinds(), g.kind) {
			t.Errorf("%s: no such direction or kind: %s %s", g.path, g.dir, g.kind)
			continue
		}
		if want := filepath.Join("testdata", g.dir.dir(), g.kind); filepath.Dir(g.path) != want {
			t.Errorf("%s: belongs into %s", g.path, want)
		}
		if len(g.rule) < 20 || g.sections["in"] == "" || g.sections["out"] == "" && g.sections["failure"] == "" {
			t.Errorf("%s: a rule, an input or an output is missing", g.path)
		}
		if old := rules[g.rule]; old != "" {
			t.Errorf("%s: the same rule as %s", g.path, old)
		}
		rules[g.rule] = g.path
		for _, feature := range slices.Concat(g.features, g.lostFeatures) {
			if !slices.Contains(known, feature) || !has(g.dir.from, g.kind, feature) {
				t.Errorf("%s: %q is no feature of a %s of %s", g.path, feature, g.kind, g.dir.from)
			}
		}
	}
}

// TestNotInNamesFeatures keeps the table of what there is not in step with that of what there is.
func TestNotInNamesFeatures(t *testing.T) {
	t.Parallel()
	known := features()
	for kind, dialects := range notIn() {
		for dialect, list := range dialects {
			for feature, reason := range list {
				if !slices.Contains(known, feature) || reason == "" {
					t.Errorf("%s %s: %q: no such feature, or no reason", kind, dialect, feature)
				}
			}
		}
	}
}
