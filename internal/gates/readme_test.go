package gates

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testCommandMark stands in README.md right above the fenced command that runs the
// tests; .ci/run runs what it finds there.
const testCommandMark = "<!-- test-command -->"

// TestReadme holds that the README marks exactly one command and that whatever make
// targets it tells people to run exist.
func TestReadme(t *testing.T) {
	t.Parallel()
	root := theTree(t).root
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no README.md yet")
	}
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	commands := markedCommands(string(readme))
	if len(commands) != 1 || strings.TrimSpace(commands[0]) == "" {
		t.Errorf("README.md marks %q with %s, want exactly one command in a fence below it", commands, testCommandMark)
	}
	for _, target := range makeTargets(string(readme)) {
		if !strings.Contains("\n"+string(makefile), "\n"+target+":") {
			t.Errorf("README.md says make %s, but the Makefile has no such target", target)
		}
	}
}

// markedCommands are the bodies of the fences whose line before, blank lines apart,
// is the mark. A mark without a fence gives an empty command.
func markedCommands(readme string) []string {
	var commands []string
	lines := strings.Split(readme, "\n")
	for i, line := range lines {
		if strings.TrimRight(line, " \t\r") != testCommandMark {
			continue
		}
		rest := lines[i+1:]
		for len(rest) > 0 && strings.TrimSpace(rest[0]) == "" {
			rest = rest[1:]
		}
		var body []string
		if len(rest) > 0 && strings.HasPrefix(rest[0], "```") {
			end := slices.IndexFunc(rest[1:], func(l string) bool { return strings.HasPrefix(l, "```") })
			if end >= 0 {
				body = rest[1 : 1+end]
			}
		}
		commands = append(commands, strings.Join(body, "\n"))
	}
	return commands
}

// makeTargets are the targets of the lines in fences that start with make.
func makeTargets(readme string) []string {
	var targets []string
	inside := false
	for line := range strings.Lines(readme) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
			continue
		}
		words := strings.Fields(strings.TrimPrefix(line, "$ "))
		if inside && len(words) >= 2 && words[0] == "make" {
			targets = append(targets, words[1])
		}
	}
	return targets
}

func TestMarkedCommands(t *testing.T) {
	t.Parallel()
	const fence = "```"
	tests := []struct {
		name   string
		readme string
		want   []string
	}{
		{name: "none", readme: fence + "\nmake test\n" + fence + "\n"},
		{
			name:   "one",
			readme: "Text.\n\n" + testCommandMark + "\n\n" + fence + "sh\nmake test\n" + fence + "\n" + fence + "\nno\n" + fence,
			want:   []string{"make test"},
		},
		{name: "no fence", readme: testCommandMark + "\nmake test\n", want: []string{""}},
		{name: "open fence", readme: testCommandMark + "\n" + fence + "\nmake test\n", want: []string{""}},
		{
			name:   "two",
			readme: strings.Repeat(testCommandMark+"\n"+fence+"\na\n"+fence+"\n", 2),
			want:   []string{"a", "a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := markedCommands(tt.readme); !slices.Equal(got, tt.want) {
				t.Errorf("markedCommands = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMakeTargets(t *testing.T) {
	t.Parallel()
	got := makeTargets("To make sure,\nmake it so:\n```\nmake lint\n$ make race CC=cc\n```\nmakes no\n")
	if want := []string{"lint", "race"}; !slices.Equal(got, want) {
		t.Errorf("makeTargets = %q, want %q", got, want)
	}
}
