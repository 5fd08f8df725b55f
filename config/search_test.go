package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ccproxy-go/ccproxy/config"
)

// TestSearchOrder takes away the file that was found until there is none.
func TestSearchOrder(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	root := filepath.Join(base, "repository")
	dir := filepath.Join(root, "a", "b")
	xdg := filepath.Join(base, "xdg")
	for _, d := range []string{dir, filepath.Join(root, ".git")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	order := []string{
		filepath.Join(base, "flag.toml"),
		filepath.Join(base, "variable.toml"),
		filepath.Join(dir, ".ccproxy.toml"),
		filepath.Join(dir, "ccproxy.toml"),
		filepath.Join(root, ".ccproxy.toml"),
		filepath.Join(root, "ccproxy.toml"),
		filepath.Join(xdg, "ccproxy", "config.toml"),
	}
	for _, path := range append(order, filepath.Join(base, "ccproxy.toml"), filepath.Join(root, "a", "ccproxy.toml")) {
		overwrite(t, path, "")
	}
	for i := range len(order) + 1 {
		o := config.Options{Dir: dir, Environ: []string{"XDG_CONFIG_HOME=" + xdg, "HOME=" + base}}
		if i < 2 {
			o.Environ = append(o.Environ, "CONFIG_FILE="+order[1])
		}
		if i < 1 {
			o.Path = order[0]
		}
		f, err := config.Load(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if i < len(order) {
			want = order[i]
			if err := os.Remove(want); err != nil {
				t.Fatal(err)
			}
		}
		if f.Path != want {
			t.Errorf("found %q, want %q", f.Path, want)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		files   []string // relative to the test's directory
		dir     string
		path    string
		environ func(base string) []string
		want    string
	}{
		{name: "relative flag", files: []string{"d/x.toml"}, dir: "d", path: "x.toml", want: "d/x.toml"},
		{
			name: "home", files: []string{".config/ccproxy/config.toml"}, dir: "d",
			environ: func(base string) []string { return []string{"HOME=" + base} }, want: ".config/ccproxy/config.toml",
		},
		{
			name: "home without configuration", files: []string{"config.toml"}, dir: "d",
			environ: func(base string) []string { return []string{"HOME=" + base, "XDG_CONFIG_HOME=" + base} },
		},
		{name: "git worktree", files: []string{"r/.git", "r/ccproxy.toml", "r/d/e/x"}, dir: "r/d/e", want: "r/ccproxy.toml"},
		{name: "nearest repository", files: []string{"r/.git", "r/ccproxy.toml", "r/d/.git"}, dir: "r/d"},
		{name: "no repository", files: []string{"r/ccproxy.toml", "r/d/x"}, dir: "r/d"},
		{name: "directory of that name", files: []string{"d/.ccproxy.toml/x", "d/ccproxy.toml"}, dir: "d", want: "d/ccproxy.toml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			for _, name := range tt.files {
				overwrite(t, filepath.Join(base, name), "")
			}
			o := config.Options{Dir: filepath.Join(base, tt.dir), Path: tt.path, Environ: noEnviron()}
			if tt.environ != nil {
				o.Environ = tt.environ(base)
			}
			f, err := config.Load(nil, o)
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tt.want != "" {
				want = filepath.Join(base, tt.want)
			}
			if f.Path != want {
				t.Errorf("found %q, want %q", f.Path, want)
			}
		})
	}
}

// TestRelativeXDG holds that a relative path there is ignored, as its specification says.
func TestRelativeXDG(t *testing.T) {
	t.Chdir(t.TempDir())
	overwrite(t, filepath.Join("x", "ccproxy", "config.toml"), "")
	f, err := config.Load(nil, config.Options{Environ: []string{"XDG_CONFIG_HOME=x"}})
	if err != nil || f.Path != "" {
		t.Errorf("Load = %v, %v, want no file", f, err)
	}
	overwrite(t, "ccproxy.toml", "")
	if f, err = config.Load(nil, config.Options{Environ: noEnviron()}); err != nil || f.Path != "ccproxy.toml" {
		t.Errorf("Load = %v, %v, want the file of the working directory", f, err)
	}
}

func TestNamedFileHasToBeThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	overwrite(t, filepath.Join(dir, "ccproxy.toml"), "")
	f, err := config.Load(nil, config.Options{Dir: dir, Environ: []string{"CONFIG_FILE=other.toml"}})
	if err == nil {
		t.Errorf("Load read %s in the place of the file that CONFIG_FILE names", f.Path)
	}
}
