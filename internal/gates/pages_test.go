package gates

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pages are the Markdown files of the tree, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root, all := theTree(t).root, map[string]string{}
	for _, name := range trackedFiles(t, root) {
		if !strings.HasSuffix(name, ".md") || strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			continue // deleted in the meantime
		}
		all[name] = string(text)
	}
	return all
}

// TestLinks holds that links between the files of the tree lead somewhere, headings included.
func TestLinks(t *testing.T) {
	t.Parallel()
	root, all := theTree(t).root, pages(t)
	exists := func(name string) bool {
		_, err := fs.Stat(os.DirFS(root), name)
		return err == nil
	}
	var findings []string
	for name := range all {
		findings = append(findings, linkFindings(name, all, exists)...)
	}
	report(t, findings)
}

func linkFindings(name string, all map[string]string, exists func(string) bool) []string {
	var findings []string
	for _, m := range regexp.MustCompile(`\]\(([^()\s]+)\)`).FindAllStringSubmatch(withoutCode(all[name]), -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file := name
		if target != "" {
			file = path.Join(path.Dir(name), target)
		}
		switch {
		case !exists(file):
			findings = append(findings, fmt.Sprintf("%s: the link %s leads to nothing", name, m[1]))
		case anchor != "" && !slices.Contains(anchors(all[file]), anchor):
			findings = append(findings, fmt.Sprintf("%s: the link %s leads to no heading", name, m[1]))
		}
	}
	return findings
}

// prose is a page without its blocks of code.
func prose(page string) string {
	fence := regexp.MustCompile("(?ms)^```[^\n]*\n.*?^```$") //nolint:gocritic // ^ begins a line
	return fence.ReplaceAllString(page, "")
}

// withoutCode is a page without its code, that within lines included.
func withoutCode(page string) string {
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(prose(page), "")
}

// anchors are the names that headings have in links.
func anchors(page string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(prose(page), -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, strings.TrimSpace(m[1]))
		all = append(all, slug)
	}
	return all
}

// TestSnippets holds that every block of Go on a page is part of a Go file of the tree, which compiles and, as a test
// or an example, runs.
func TestSnippets(t *testing.T) {
	t.Parallel()
	var code []string
	for _, f := range theTree(t).files {
		code = append(code, "\n"+unindented(string(f.src)))
	}
	var findings []string
	for name, page := range pages(t) {
		for _, block := range snippets(page) {
			part := "\n" + unindented(block)
			if !slices.ContainsFunc(code, func(src string) bool { return strings.Contains(src, part) }) {
				first, _, _ := strings.Cut(block, "\n")
				findings = append(findings, fmt.Sprintf("%s: no Go file has the block that begins with %q", name, first))
			}
		}
	}
	report(t, findings)
}

// snippets are the bodies of the blocks of Go on a page.
func snippets(page string) []string {
	var blocks []string
	fence := regexp.MustCompile("(?ms)^```go\n(.*?)^```$") //nolint:gocritic // ^ begins a line
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

func unindented(src string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(src, "")
}

func TestLinkFindings(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"docs/a.md": "# One `[x]` thing\n[b](b.md) [self](#one-x-thing) [c](../c.go) [web](https://example.com)\n" +
			"[gone](gone.md) [no](b.md#two) [two](b.md#two-words)\n```sh\n[code](code.md)\n```\n`[in](line.md)`\n",
		"docs/b.md": "## Two words\n",
	}
	known := []string{"docs/a.md", "docs/b.md", "c.go"}
	got := linkFindings("docs/a.md", all, func(name string) bool { return slices.Contains(known, name) })
	want := []string{
		"docs/a.md: the link gone.md leads to nothing", "docs/a.md: the link b.md#two leads to no heading",
	}
	if !slices.Equal(got, want) {
		t.Errorf("findings = %q, want %q", got, want)
	}
}

func TestSnippetsOfAPage(t *testing.T) {
	t.Parallel()
	got := snippets("text\n```go\na()\n\tb()\n```\n```sh\nc\n```\n```go\nd()\n```\n")
	if want := []string{"a()\n\tb()\n", "d()\n"}; !slices.Equal(got, want) {
		t.Errorf("snippets = %q, want %q", got, want)
	}
}
