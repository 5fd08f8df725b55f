package gates

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbiddenWord is text that no file of the tree holds. The patterns are put
// together from parts, so that this file does not hold them either.
type forbiddenWord struct {
	pattern *regexp.Regexp
	because string
}

func forbiddenWords() []forbiddenWord {
	word := func(because string, parts ...string) forbiddenWord {
		return forbiddenWord{pattern: regexp.MustCompile("(?m)" + strings.Join(parts, "")), because: because}
	}
	const registry, machine = "the host of a package registry", "a path of one machine"
	return []forbiddenWord{
		word(registry, `\b(proxy|sum|index)\.`, `golang\.org\b`),
		word(registry, `\bgoproxy\.`, `(io|cn)\b`),
		word(registry, `\b(deb|security|ftp|snapshot|httpredir)\.`, `debian\.org\b`),
		word(registry, `\bregistry\.`, `(npmjs\.org|yarnpkg\.com)\b`),
		word(registry, `\b(pypi\.`, `org|files\.python`, `hosted\.org|static\.crates\.`, `io)\b`),
		word(machine, `(^|[\s"'=:(\x60])/wo`, `rk/`),
		word(machine, `(^|[\s"'=:(\x60])/tmp/`, `(brief|bash_`, `jobs)`),
		word(machine, `(^|[\s"'=:(\x60])/(root|home|Users)/`, `[a-z]+/(go|src|dev|work|\.cache)/`),
		word("a path outside the tree", `\bshared/(DESIGN|seed|reference|style|ecosystem|`, `reliability|peers|clients)\b`),
		word("no voice of a machine", `(?i)\bas an `, `ai\b`),
		word("an issue is filed, not noted in the code", `TODO`, `\(issue`),
	}
}

// wordFindings lists the forbidden words of one file.
func wordFindings(name string, src []byte, words []forbiddenWord) []string {
	var findings []string
	for _, w := range words {
		for _, at := range w.pattern.FindAllIndex(src, -1) {
			line := 1 + bytes.Count(src[:at[0]], []byte("\n"))
			findings = append(findings, fmt.Sprintf("%s:%d: %q: %s", name, line, src[at[0]:at[1]], w.because))
		}
	}
	return findings
}

func TestWords(t *testing.T) {
	t.Parallel()
	root, words := theTree(t).root, forbiddenWords()
	var findings []string
	for _, name := range trackedFiles(t, root) {
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || bytes.IndexByte(src, 0) >= 0 {
			continue // deleted in the meantime, a link, or no text
		}
		findings = append(findings, wordFindings(name, src, words)...)
	}
	report(t, findings)
}

// trackedFiles lists what git tracks or would track. Outside a repository it lists
// every file, but for hidden directories.
func trackedFiles(t *testing.T, root string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*",
		"ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil {
		names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		slices.Sort(names)
		return slices.Compact(names)
	}
	var names []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWordFindings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		src  string
		want bool
	}{
		{name: "module path", src: "import \"golang.org/x/" + "sync/errgroup\""},
		{name: "package page", src: "https://pkg.go.dev/net/http"},
		{name: "part of a path", src: "/home/work/ and docs/wo" + "rk/a.md"},
		{name: "other temporary file", src: "/tmp/ccproxy.toml"},
		{name: "module proxy", src: "GOPROXY=https://proxy." + "golang.org", want: true},
		{name: "Debian", src: "http://deb." + "debian.org/debian", want: true},
		{name: "npm", src: "https://registry." + "npmjs.org/x", want: true},
		{name: "workplace", src: "cd /wo" + "rk/main", want: true},
		{name: "quoted workplace", src: "open(\"/wo" + "rk/main\")", want: true},
		{name: "brief", src: "see /tmp/" + "brief/a.md", want: true},
		{name: "design page", src: "see shared/" + "DESIGN.md", want: true},
		{name: "machine's voice", src: "As an " + "AI, I", want: true},
		{name: "note of an issue", src: "// TODO" + "(issue 12)", want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := wordFindings("a.go", []byte("\n"+tt.src+"\n"), forbiddenWords())
			if (len(got) > 0) != tt.want {
				t.Errorf("findings = %q, want any: %t", got, tt.want)
			}
		})
	}
}
