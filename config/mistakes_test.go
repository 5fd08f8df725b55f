package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// secretValue is in many of the files: no error may show it.
const secretValue = "sk-do-not-show"

// TestWrongFiles compares every line of what Load says.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	tests := slices.Concat(
		wrongSyntax(), unknownKeys(), unknownPluginKeys(), wrongTypes(), wrongValues(), wrongSecurity(), obsoleteKeys(), manyMistakes(),
	)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			path := write(t, tt.src)
			f, err := config.Load(&s.registry, config.Options{Path: path, Environ: noEnviron()})
			if err == nil {
				t.Fatalf("Load = %v, want an error", f)
			}
			got := strings.Split(strings.ReplaceAll(err.Error(), path, "F"), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("errors mismatch (-want +got):\n%s", diff)
			}
			if many, ok := errors.AsType[config.KeyErrors](err); !ok || len(many) != len(tt.want) {
				t.Errorf("error is %T of %d, want KeyErrors of %d", err, len(many), len(tt.want))
			}
			if !errors.Is(err, ccproxy.ErrConfig) {
				t.Error("error is no ErrConfig")
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", err, err), secretValue) {
				t.Errorf("error shows a value: %#v", err)
			}
		})
	}
}

// TestRight holds what must not be taken for a mistake.
func TestRight(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src string }{
		{"empty", ""},
		{"only a mark", "\ufeff"},
		{"comment", "# nothing\n"},
		{"a plugin that is off need not be complete", "[plugins.spare]\n"},
		{"switched off by the table", "[plugins.spare]\nenabled = false\n"},
		{"switched off by the list", "disabled_plugins = [\"spare\"]\n[plugins.spare]\nenabled = true\n"},
		{"all off", "enable_plugins = false\n[plugins.spare]\nenabled = true\n"},
		{"a time", "[plugins.wide]\nsince = 2020-01-01T00:00:00Z\n"},
		{"a time as text", "[plugins.wide]\nsince = \"2020-01-01T00:00:00Z\"\n"},
		{"any table", "[plugins.wide.extra]\na.b = [1, {c = 2}]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t)
			f, err := config.Load(&s.registry, config.Options{Path: write(t, tt.src), Environ: noEnviron()})
			if err != nil {
				t.Fatal(err)
			}
			s.built(t, f)
		})
	}
}

func TestWhatThePluginFinds(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	s.refuse = errors.New("the instances a and b are the same")
	path := write(t, "[plugins.wide]\n")
	_, err := config.Load(&s.registry, config.Options{Path: path, Environ: noEnviron()})
	if want := path + ":1:10: plugins.wide: the instances a and b are the same"; err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

func TestPluginsThatPanic(t *testing.T) {
	t.Parallel()
	bad := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "bad", Config: ccproxy.ConfigFor(func() *wide { panic("defaults") }),
	}, nil)
	tagged := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "tagged", Config: ccproxy.ConfigFor[struct {
			A int `validate:"nonsense"`
		}](nil),
	}, nil)
	s := newSuite(t, bad, tagged)
	_, err := config.Load(&s.registry, config.Options{Dir: t.TempDir(), Environ: noEnviron()})
	want := "plugins.bad: the plugin panics when asked for its defaults\n" +
		"plugins.tagged: the validate tags of the plugin are wrong"
	if err == nil || err.Error() != want {
		t.Errorf("Load = %v, want\n%s", err, want)
	}
}

// TestInCode holds that a table need not be complete if the code has the configuration.
func TestInCode(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	path := write(t, "[plugins.spare]\nenabled = true\n")
	f, err := config.Load(&s.registry, config.Options{Path: path, Environ: noEnviron(), InCode: []string{"spare"}})
	if err != nil {
		t.Fatal(err)
	}
	code := ccproxy.WithPluginConfig("spare", spare{APIKey: ccproxy.NewSecret("a")})
	if _, err := s.registry.Build(f.Settings, code); err != nil {
		t.Error(err)
	}
	overwrite(t, path, "[plugins.spare]\napi_kye = \"\"\n")
	_, err = config.Load(&s.registry, config.Options{Path: path, Environ: noEnviron(), InCode: []string{"spare"}})
	if err == nil {
		t.Error("a key that does not exist was not found")
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	yaml := filepath.Join(dir, "ccproxy.yaml")
	overwrite(t, yaml, "server: 1\n")
	if err := os.Mkdir(filepath.Join(dir, "dir.toml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "no such file",
		yaml:                            "only files that end in .toml are read",
		filepath.Join(dir, "dir.toml"):  "is not a regular file",
	} {
		_, err := config.Load(nil, config.Options{Path: path, Environ: noEnviron()})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Load = %v, want %q with the path", err, want)
		}
		if !errors.Is(err, ccproxy.ErrConfig) {
			t.Errorf("%v is no ErrConfig", err)
		}
	}
	_, err := config.Load(nil, config.Options{Path: filepath.Join(dir, "none.toml"), Environ: noEnviron()})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no ErrNotExist", err)
	}
}

func TestFilesThatOthersMayWrite(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing there")
	}
	path := write(t, "")
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o620: true, 0o666: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, err := config.Load(nil, config.Options{Path: path, Environ: noEnviron()})
		if err != nil {
			t.Fatal(err)
		}
		if (len(f.Warnings) == 1) != warns {
			t.Errorf("mode %v: warnings %q, want one: %t", mode, f.Warnings, warns)
		}
	}
}

// TestPrintingShowsNoSecret prints all that Load returns.
func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	s := newSuite(t)
	f, err := config.Load(&s.registry, config.Options{
		Path:     write(t, "security.auth_token = \""+secretValue+"\"\nplugins.wide.token = \""+secretValue+"\"\n"),
		Environ:  []string{"SECURITY__API_KEYS=[{\"name\": \"a\", \"key\": \"" + secretValue + "2\"}]"},
		Override: map[string]any{"plugins.wide.nested.key": secretValue},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, f) + fmt.Sprintf(verb, *f); strings.Contains(text, secretValue) {
			t.Errorf("%s shows a secret: %s", verb, text)
		}
	}
}
