package roundtrip

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

var listLosses = flag.Bool("losses", false, "log all losses that are reported, as the tables have them")

// reported are the losses that a test has seen, by the letters of the direction.
type reported struct {
	mu   sync.Mutex
	kind string
	seen map[string]map[string]bool
}

// watch compares what is reported with the tables in testdata when the test is over: what is reported stands there,
// and what stands there is reported.
func watch(t *testing.T, kind string) *reported {
	t.Helper()
	r := &reported{kind: kind, seen: map[string]map[string]bool{}}
	for _, way := range ways() {
		r.seen[way[0].letter+"_"+way[1].letter] = map[string]bool{}
	}
	t.Cleanup(func() {
		for _, way := range slices.Sorted(maps.Keys(r.seen)) {
			r.compare(t, way)
		}
	})
	return r
}

func (r *reported) add(from, to dialect, lost []canonical.Loss) {
	if len(lost) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	way := r.seen[from.letter+"_"+to.letter]
	for _, l := range lost {
		way[r.kind+"\t"+pattern(l.Path)+"\t"+pattern(l.Reason)] = true
	}
}

func (r *reported) compare(t *testing.T, way string) {
	t.Helper()
	seen := r.seen[way]
	if *listLosses {
		for _, line := range slices.Sorted(maps.Keys(seen)) {
			t.Logf("losses_%s.txt\t%s", way, line)
		}
		return
	}
	table, err := readTable(way, r.kind)
	if err != nil {
		t.Error(err)
		return
	}
	paths := map[string]bool{}
	for _, line := range slices.Sorted(maps.Keys(seen)) {
		path := line[:strings.LastIndexByte(line, '\t')]
		if !table[path] {
			t.Errorf("testdata/losses_%s.txt does not have %q", way, line)
		}
		paths[path] = true
	}
	if cases(1) == 0 {
		return // too few cases to see all
	}
	for _, path := range slices.Sorted(maps.Keys(table)) {
		if !paths[path] {
			t.Errorf("testdata/losses_%s.txt has %q, which was never reported", way, path)
		}
	}
}

// readTable reads the lines of a kind: the kind, the path with * for indexes and names, and the reason, which is for
// people and not compared.
func readTable(way, kind string) (map[string]bool, error) {
	text, err := os.ReadFile(filepath.Join("testdata", "losses_"+way+".txt"))
	if err != nil {
		return nil, err
	}
	table := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch fields := strings.Split(line, "\t"); {
		case line == "" || line[0] == '#':
		case len(fields) != 3:
			return nil, fmt.Errorf("losses_%s.txt: %q has not three fields", way, line)
		case fields[0] == kind:
			table[fields[0]+"\t"+fields[1]] = true
		}
	}
	return table, nil
}
