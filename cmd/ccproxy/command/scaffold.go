package command

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

// scaffolds are the files of a plugin of each type, and the go.mod of one that is a module of its own.
//
//go:embed scaffold
var scaffolds embed.FS

// scaffold is what the templates are filled with.
type scaffold struct {
	Name        string // of the plugin
	Package     string
	Account     string // what an auth plugin's OAuth provider is called
	Type        string
	Description string
	Version     string
	Module      string // of a package that lies in none
	Go          string

	tests, force bool
	dir          string
}

const scaffoldHelp = `Write a Go package with a plugin that compiles, passes its test and runs.

The package goes to a new directory, beside what is there; a file that is there already is replaced only with --force.
Where no directory above has a go.mod, it becomes a module of its own.`

func (a *app) pluginsScaffoldCommand() *cobra.Command {
	s := &scaffold{}
	cmd := &cobra.Command{
		Use: "scaffold NAME", Short: "Write a plugin to begin with", Long: scaffoldHelp, Args: exactly(1),
	}
	flags := cmd.Flags()
	flags.StringVarP(&s.Type, "type", "t", "system", "`TYPE` of the plugin: system, provider or auth")
	flags.StringVarP(&s.Description, "description", "d", "", "`TEXT` that tells what it is for, in one line")
	flags.StringVarP(&s.Version, "version", "v", "0.1.0", "`VERSION` of the plugin")
	flags.StringVarP(&s.dir, "path", "p", "", "write the package to `DIR`; defaults to its name")
	flags.StringVar(&s.Module, "module", "", "`PATH` of the module that is made where there is none")
	flags.BoolVar(&s.tests, "with-tests", true, "write a test")
	noTests := flags.Bool("no-tests", false, "write no test")
	flags.BoolVar(&s.force, "force", false, "replace files that are there")
	cmd.MarkFlagsMutuallyExclusive("with-tests", "no-tests")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(
		[]string{"system", "provider", "auth"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.tests = s.tests && !*noTests
		if err := s.complete(args[0]); err != nil {
			return usageError(cmd, err)
		}
		return a.scaffold(s)
	}
	return cmd
}

// complete checks what was asked for and adds what follows from it.
func (s *scaffold) complete(name string) error {
	s.Name = strings.ToLower(name)
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(s.Name):
		return fmt.Errorf("no plugin can be called %q: a letter comes first, then letters, digits and _", name)
	case s.Type != "system" && s.Type != "provider" && s.Type != "auth":
		return fmt.Errorf("no type %q: it is one of system, provider and auth", s.Type)
	case strings.ContainsAny(s.Description, "\r\n"):
		return errors.New("the description has more than one line")
	case s.Version == "" || strings.ContainsAny(s.Version, " \r\n"):
		return fmt.Errorf("no plugin can have the version %q", s.Version)
	}
	s.Package = strings.ReplaceAll(s.Name, "_", "")
	if token.IsKeyword(s.Package) || s.Package == "main" || s.Package == "internal" {
		s.Package += "plugin" // no package can be called so
	}
	s.Account = strings.ReplaceAll(strings.TrimPrefix(s.Name, "oauth_"), "_", "-")
	if s.Description == "" {
		s.Description = map[string]string{
			"system": "Counts requests by model", "provider": "An API that speaks OpenAI's Chat Completions",
			"auth": "Logins of an OAuth server",
		}[s.Type]
	}
	if s.Module == "" {
		s.Module = "example.com/" + s.Package
	}
	s.Go = goVersion
	return nil
}

// goVersion is the language that scaffolds are written in, that of the library.
const goVersion = "1.26.0"

// scaffold writes the files and tells which, and what comes next.
func (a *app) scaffold(s *scaffold) error {
	dir := s.dir
	if dir == "" {
		dir = s.Package
	}
	root := a.path(dir)
	files, err := s.files(root)
	if err != nil {
		return err
	}
	if err := s.check(root, files); err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o750); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(root, f.name)
		done := "created"
		if _, err := os.Lstat(path); err == nil {
			done = "replaced"
		}
		if err := os.WriteFile(path, f.content, 0o600); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(a.Stdout, done, filepath.Join(dir, f.name)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.Stderr, "\nNext: cd %s; go mod tidy; go test .\n"+
		"Then give it to a server: reg.Register(%s.Factory())\n", dir, s.Package)
	return err
}

// sourceFile is a file to be written.
type sourceFile struct {
	name    string
	content []byte
}

// check finds the files that are in the way, before anything is written.
func (s *scaffold) check(root string, files []sourceFile) error {
	if s.force {
		return nil
	}
	var errs []error
	for _, f := range files {
		path := filepath.Join(root, f.name)
		if _, err := os.Lstat(path); err == nil {
			errs = append(errs, fmt.Errorf("%s is there already; --force replaces it", path))
		}
	}
	return errors.Join(errs...)
}

// files are the package's, and go.mod where it lies in no module.
func (s *scaffold) files(root string) ([]sourceFile, error) {
	names := [][2]string{{s.Type + "/plugin.go", s.Package + ".go"}, {s.Type + "/config.go", "config.go"}}
	if s.tests {
		names = append(names, [2]string{s.Type + "/plugin_test.go", s.Package + "_test.go"})
	}
	if !inModule(filepath.Dir(root)) {
		names = append(names, [2]string{"go.mod", "go.mod"})
	}
	files := make([]sourceFile, 0, len(names))
	for _, n := range names {
		content, err := s.render(n[0])
		if err != nil {
			return nil, err
		}
		files = append(files, sourceFile{n[1], content})
	}
	return files, nil
}

func (s *scaffold) render(name string) ([]byte, error) {
	text, err := scaffolds.ReadFile("scaffold/" + name + ".tmpl")
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Delims("<%", "%>").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, s); err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".mod") {
		return out.Bytes(), nil
	}
	return format.Source(out.Bytes())
}

// inModule tells whether a directory, or one above it, has a go.mod.
func inModule(dir string) bool {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute // above ".." there is more than the working directory
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}
