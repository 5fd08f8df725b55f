package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy/config"
)

// configName is a name under which the configuration is found.
const configName = "ccproxy.toml"

func (a *app) configInitCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "Write a configuration file to begin with", Args: exactly(0),
		Long: "Write a configuration file to begin with: every key with what it is for and its default, commented out.",
	}
	dir := cmd.Flags().StringP("output-dir", "o", ".", "write "+configName+" to `DIR`")
	force := cmd.Flags().Bool("force", false, "replace a file that is there")
	format := cmd.Flags().StringP("format", "f", "toml", "`FORMAT` of the file; toml is all there is")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *format != "toml" {
			return usageError(cmd, fmt.Errorf("no format %q: toml is all there is", *format))
		}
		entries, err := a.defaultEntries()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(a.path(*dir), 0o750); err != nil {
			return err
		}
		path := filepath.Join(a.path(*dir), configName)
		write := writeNew
		if *force {
			write = replaceFile
		}
		if err := write(path, []byte(commented(entries))); os.IsExist(err) {
			return fmt.Errorf("%s is there already; --force replaces it", path)
		} else if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.Stdout, path)
		return err
	}
	return cmd
}

// defaultEntries are the keys as they are without any source.
func (a *app) defaultEntries() ([]config.Entry, error) {
	empty, err := os.MkdirTemp("", "ccproxy")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(empty)
	file, err := config.Load(&a.registry, config.Options{
		Dir: empty, Environ: []string{}, KeyVariables: []config.KeyVariable{}, InCode: a.allPlugins(),
	})
	if err != nil {
		return nil, err
	}
	return file.Entries(), nil
}

func (a *app) allPlugins() []string {
	var names []string
	for _, m := range a.registry.Manifests() {
		names = append(names, m.Name)
	}
	return names
}

// commented writes keys as a file that changes nothing.
func commented(entries []config.Entry) string {
	var out strings.Builder
	out.WriteString("# Every key with what it is for and its default. Take the # away from those that you change, " +
		"and from the table\n# above them. What begins with \"# \" are words.\n")
	// Keys without a table come first: what follows a table is in it.
	for _, e := range entries {
		if !strings.Contains(e.Key, ".") {
			writeKey(&out, e.Key, e)
		}
	}
	table := ""
	for _, e := range entries {
		dot := strings.LastIndex(e.Key, ".")
		if dot < 0 {
			continue
		}
		if e.Key[:dot] != table {
			table = e.Key[:dot]
			fmt.Fprintf(&out, "\n#[%s]\n", table)
		}
		writeKey(&out, e.Key[dot+1:], e)
	}
	return out.String()
}

func writeKey(out *strings.Builder, name string, e config.Entry) {
	for _, line := range wrapped(e.Description, 110) {
		fmt.Fprintf(out, "# %s\n", line)
	}
	if e.Default == "" || e.Secret {
		fmt.Fprintf(out, "#%s = … # %s\n", name, e.Type)
		return
	}
	fmt.Fprintf(out, "#%s = %s\n", name, e.Default)
}

// wrapped breaks a text into lines of at most width bytes, but for longer words.
func wrapped(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// writeNew writes a file that nobody else may read, which must not be there yet.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// replaceFile puts a file in place in one step, with mode 0600: a reader sees the old one or the new one. What a
// symbolic link points to is replaced, and the link stays.
func replaceFile(path string, content []byte) (err error) {
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil {
		path = target
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ccproxy-*.toml") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
