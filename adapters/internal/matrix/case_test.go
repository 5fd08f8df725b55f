package matrix

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// direction is whence a conversion comes and where it goes, by the letters of dialects.
type direction struct{ from, to string }

func (d direction) String() string { return d.from + "→" + d.to }

// dir is the directory of the direction's cases.
func (d direction) dir() string { return strings.ToLower(d.from) + "_to_" + strings.ToLower(d.to) }

func directions() []direction {
	return []direction{{"A", "C"}, {"C", "A"}, {"A", "R"}, {"R", "A"}, {"C", "R"}, {"R", "C"}}
}

func formats() map[string]adapters.Format {
	return map[string]adapters.Format{
		"A": adapters.AnthropicMessages, "C": adapters.OpenAIChatCompletions, "R": adapters.OpenAIResponses,
	}
}

// The kinds of conversions: of what a client asks, and of what an upstream answers, at once or in a stream.
const (
	request  = "request"
	response = "response"
	stream   = "stream"
)

func kinds() []string { return []string{request, response, stream} }

// golden is a case: a head that says what it guards and covers, then named sections.
//
//	Rule: what must not break
//	Direction: A→C
//	Kind: request
//	Features: what is carried, by the names of the table
//	Status: of an error's answer
//	-- in -- what comes: JSON, or the events of a stream, one a line
//	-- request -- for answers, what the client has asked for in its own dialect
//	-- out -- what goes
//	-- failure -- the error that is told instead
//	-- lost -- a path a line, and after a colon which feature is lost
type golden struct {
	path, rule, kind string
	dir              direction
	status           int
	features         []string
	lost             []string          // paths
	lostFeatures     []string          // features that the target cannot express
	sections         map[string]string // by name
}

// cases reads all files.
func cases(t *testing.T) []golden {
	t.Helper()
	var list []golden
	err := filepath.WalkDir("testdata", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list = append(list, parse(t, path, string(data)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func parse(t *testing.T, path, data string) golden {
	t.Helper()
	g := golden{path: path, sections: map[string]string{}}
	name := ""
	for line := range strings.Lines(data) {
		if n, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(n, " --\n") {
			name = strings.TrimSuffix(n, " --\n")
			continue
		}
		if name != "" {
			g.sections[name] += line
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || !g.head(key, value) {
			t.Fatalf("%s: %q is no line of a head", path, line)
		}
	}
	for line := range strings.Lines(g.sections["lost"]) {
		place, feature, named := strings.Cut(strings.TrimSpace(line), ": ")
		g.lost = append(g.lost, place)
		if named {
			g.lostFeatures = append(g.lostFeatures, words(feature)...)
		}
	}
	slices.Sort(g.lost)
	return g
}

// head takes a line of the head.
func (g *golden) head(key, value string) bool {
	switch key {
	case "Rule":
		g.rule = value
	case "Direction":
		g.dir.from, g.dir.to, _ = strings.Cut(value, "→")
	case "Kind":
		g.kind = value
	case "Features":
		g.features = words(value)
	case "Status":
		g.status, _ = strconv.Atoi(value)
	default:
		return false
	}
	return true
}

func words(list string) []string {
	var out []string
	for word := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(word))
	}
	return out
}
