package command

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// What a script shows of a command.
const (
	showsHelp    = "its help"
	showsSuccess = "how it succeeds"
	showsFailure = "how it fails"
)

// TestScriptsShowEveryCommand finds commands whose help, success or failure no script of testdata/script shows.
func TestScriptsShowEveryCommand(t *testing.T) {
	t.Parallel()
	var server oauthtest.Server
	root, err := New(Options{Factories: append(bundled.Factories(), loginPlugin(&server), commandPlugin()), Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	missing := make(map[string][]string)
	expect(root, missing)
	for _, line := range scriptLines(t) {
		words, fails := strings.Fields(line), false
		if len(words) > 0 && words[0] == "!" {
			words, fails = words[1:], true
		}
		if len(words) == 0 || words[0] != "ccproxy" && words[0] != "serving" {
			continue
		}
		if at := slices.Index(words, "--"); words[0] == "serving" {
			words = words[at:]
		}
		cmd, _, err := root.Find(words[1:])
		if err != nil {
			continue // a script shows what happens then
		}
		shown := showsSuccess
		switch {
		case slices.Contains(words, "--help"):
			shown = showsHelp
		case fails:
			shown = showsFailure
		}
		path := cmd.CommandPath()
		missing[path] = slices.DeleteFunc(missing[path], func(s string) bool { return s == shown })
	}
	for _, path := range slices.Sorted(maps.Keys(missing)) {
		for _, what := range missing[path] {
			t.Errorf("no script shows of %q %s", path, what)
		}
	}
}

// expect notes what scripts have to show of a command and of those below it.
func expect(cmd *cobra.Command, missing map[string][]string) {
	missing[cmd.CommandPath()] = []string{showsHelp, showsSuccess, showsFailure}
	for _, below := range cmd.Commands() {
		expect(below, missing)
	}
}

// scriptLines are the lines of all scripts, without the files that go with them.
func scriptLines(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var lines []string
	for _, name := range names {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(script), "\n-- ")
		lines = append(lines, strings.Split(text, "\n")...)
	}
	return lines
}
