package gates

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden lists in testdata")

// compareGolden compares lines with the list in testdata/name, and with -update
// writes them there instead. hint ends the message of a difference.
func compareGolden(t *testing.T, name string, lines []string, hint string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(strings.Split(string(data), "\n"), func(l string) bool { return l == "" })
	removed, added := difference(want, lines)
	if len(removed)+len(added) == 0 {
		return
	}
	var diff strings.Builder
	for _, l := range removed {
		diff.WriteString("- " + l + "\n")
	}
	for _, l := range added {
		diff.WriteString("+ " + l + "\n")
	}
	t.Errorf("%s does not say what the tree says (-golden +tree):\n%s%s", file, diff.String(), hint)
}

// difference lists the lines that only one of two sorted lists has.
func difference(a, b []string) (onlyA, onlyB []string) {
	for _, l := range a {
		if _, ok := slices.BinarySearch(b, l); !ok {
			onlyA = append(onlyA, l)
		}
	}
	for _, l := range b {
		if _, ok := slices.BinarySearch(a, l); !ok {
			onlyB = append(onlyB, l)
		}
	}
	return onlyA, onlyB
}
