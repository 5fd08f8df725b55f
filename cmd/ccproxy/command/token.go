package command

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// generateToken is the command that makes a key for clients, with its flags.
type generateToken struct {
	app         *app
	path        string
	save, force bool
}

func (a *app) generateTokenCommand() *cobra.Command {
	g := &generateToken{app: a}
	cmd := &cobra.Command{
		Use: "generate-token", Short: "Make a key that clients have to send", Args: exactly(0), RunE: g.run,
		Long: "Make a key that clients have to send, of 32 random bytes, and print it. With --save it becomes\n" +
			"security.auth_token of the configuration file and is not printed.",
	}
	f := cmd.Flags()
	f.BoolVar(&g.save, "save", false, "save it in the configuration file, which is made if there is none")
	f.BoolVar(&g.save, "write", false, "the same as --save")
	f.BoolVar(&g.force, "force", false, "replace a key that is there")
	f.StringVar(&g.path, "config-file", "", "save it in `FILE`, the same as --config")
	return cmd
}

func (g *generateToken) run(*cobra.Command, []string) error {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	if !g.save {
		if _, err := fmt.Fprintln(g.app.Stdout, token); err != nil {
			return err
		}
		fmt.Fprint(g.app.Stderr, "The server wants it as SECURITY__AUTH_TOKEN, or as security.auth_token of its\n"+
			"file; clients as ANTHROPIC_API_KEY or OPENAI_API_KEY.\n")
		return nil
	}
	path, err := g.target()
	if err != nil {
		return err
	}
	if err := g.write(path, token); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.app.Stdout, "%s: security.auth_token is set\n", path)
	return err
}

// target is the file that is named, or else the one that is found, or else a new one in the directory.
func (g *generateToken) target() (string, error) {
	options := g.app.loadOptions(nil)
	switch {
	case g.path != "":
		return g.app.path(g.path), nil
	case options.Path != "":
		return g.app.path(options.Path), nil
	}
	file, err := config.Load(&g.app.registry, options)
	if err != nil {
		return "", err
	}
	if file.Path != "" {
		return file.Path, nil
	}
	return g.app.path(configName), nil
}

// write puts the key into a file and leaves the rest of it as it is. Nothing changes unless the result is right.
func (g *generateToken) write(path, token string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := withToken(string(old), token, g.force)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := g.try(path, content, token); err != nil {
		return err
	}
	return replaceFile(path, []byte(content))
}

// try reads the new content as the server would, without the environment.
func (g *generateToken) try(path, content, token string) error {
	dir, err := os.MkdirTemp("", "ccproxy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	draft := filepath.Join(dir, configName)
	if err := writeNew(draft, []byte(content)); err != nil {
		return err
	}
	options := config.Options{Path: draft, Environ: []string{}, InCode: g.app.allPlugins()}
	file, err := config.Load(&g.app.registry, options)
	if err != nil {
		text := strings.ReplaceAll(err.Error(), draft, path)
		return fmt.Errorf("%s\nnothing was saved: %w", text, ccproxy.ErrConfig)
	}
	saved := func(k ccproxy.APIKey) bool { return k.Value.Reveal() == token }
	if !slices.ContainsFunc(file.Settings.Security.Keys, saved) {
		return fmt.Errorf("%s: cannot be edited by a program as it is written; add security.auth_token by hand", path)
	}
	return nil
}

// The lines of a file that matter: the begin of a table, that of [security], and the key.
func isTable(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }

func isSecurity(line string) bool {
	name, comment, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "["), "]")
	comment = strings.TrimSpace(comment)
	return ok && isTable(line) && strings.TrimSpace(name) == "security" &&
		(comment == "" || strings.HasPrefix(comment, "#"))
}

func isToken(line string) bool {
	name, _, ok := strings.Cut(line, "=")
	return ok && strings.TrimSpace(name) == "auth_token"
}

var errTokenThere = errors.New("security.auth_token is set already; --force replaces it")

// withToken sets the key in the text of a TOML file.
func withToken(text, token string, force bool) (string, error) {
	line := `auth_token = "` + token + `"`
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	head := slices.IndexFunc(lines, isSecurity)
	if head < 0 {
		if strings.TrimSpace(text) == "" {
			lines = nil
		} else {
			lines = append(lines, "")
		}
		return strings.Join(append(lines, "[security]", line), "\n") + "\n", nil
	}
	for i := head + 1; i < len(lines) && !isTable(lines[i]); i++ {
		if !isToken(lines[i]) {
			continue
		}
		if !force {
			return "", errTokenThere
		}
		lines[i] = line
		return strings.Join(lines, "\n") + "\n", nil
	}
	return strings.Join(slices.Insert(lines, head+1, line), "\n") + "\n", nil
}
