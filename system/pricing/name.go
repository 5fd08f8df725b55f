package pricing

import (
	"regexp"
	"slices"
	"strings"
)

// namer brings names of models to the form that lists of prices have.
type namer struct {
	suffixes []*regexp.Regexp
	date     *regexp.Regexp // one of them
	places   []string
}

func newNamer() *namer {
	date := regexp.MustCompile(`([-@]20\d{6}|-20\d\d-\d\d-\d\d)$`)
	return &namer{
		suffixes: []*regexp.Regexp{
			regexp.MustCompile(`\[1m\]$`),                    // what a client asks for a long context with
			regexp.MustCompile(`(-v\d+)?(:\d+[a-z0-9:]*)?$`), // a revision, as Bedrock has them
			date,
			regexp.MustCompile(`-latest$`),
		},
		date:   date,
		places: []string{"us", "eu", "apac", "jp", "au", "ca", "us-gov", "global", "anthropic", "openai"},
	}
}

// undated is a name without its date.
func (n *namer) undated(name string) string { return n.date.ReplaceAllString(name, "") }

// variants lists what a name may mean, the name itself first and the plainest last: without the provider before a
// slash, the region and vendor before a dot, the revision, the date and "-latest".
func (n *namer) variants(model string) []string {
	name := strings.ToLower(strings.TrimSpace(model))
	out := []string{name}
	add := func(v string) {
		if v != "" && v != name {
			name = v
			out = append(out, v)
		}
	}
	add(name[strings.LastIndexByte(name, '/')+1:])
	for {
		place, rest, ok := strings.Cut(name, ".")
		if !ok || !slices.Contains(n.places, place) {
			break
		}
		add(rest)
	}
	for _, suffix := range n.suffixes {
		add(suffix.ReplaceAllString(name, ""))
	}
	if strings.HasPrefix(name, "claude-") {
		add(strings.ReplaceAll(name, ".", "-")) // routers write 4.5 where the vendor writes 4-5
	}
	return out
}
