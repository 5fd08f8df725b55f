package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/ccproxy-go/ccproxy"
)

// fileVariable names the configuration file.
const fileVariable = "CONFIG_FILE"

// find returns the path of the configuration file, or "" when there is none. A file that was named is not looked for.
func find(o Options, environ []string) string {
	dir := o.Dir
	if dir == "" {
		dir = "."
	}
	named := o.Path
	if named == "" {
		named = lookupVariable(environ, fileVariable)
	}
	if named != "" {
		if !filepath.IsAbs(named) && o.Dir != "" {
			named = filepath.Join(o.Dir, named)
		}
		return named
	}
	for _, candidate := range candidates(dir, environ) {
		if isFile(candidate) {
			return candidate
		}
	}
	return ""
}

// candidates lists where a file is looked for, the first that is there being taken.
func candidates(dir string, environ []string) []string {
	list := inDir(dir)
	if root := gitRoot(dir); root != "" {
		list = append(list, inDir(root)...)
	}
	home := lookupVariable(environ, "XDG_CONFIG_HOME")
	if user := lookupVariable(environ, "HOME"); home == "" && user != "" {
		home = filepath.Join(user, ".config")
	}
	if filepath.IsAbs(home) { // the XDG specification has relative ones ignored
		list = append(list, filepath.Join(home, "ccproxy", "config.toml"))
	}
	return list
}

func inDir(dir string) []string {
	return []string{filepath.Join(dir, ".ccproxy.toml"), filepath.Join(dir, "ccproxy.toml")}
}

// gitRoot returns the nearest directory at or above dir that has a .git, or "".
func gitRoot(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// read returns the content of a file, and a warning if others may change it.
func read(path string) (content []byte, warning string, err error) {
	if filepath.Ext(path) != ".toml" {
		return nil, "", fmt.Errorf("%s: only files that end in .toml are read: %w", path, ccproxy.ErrConfig)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ccproxy.ErrConfig, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ccproxy.ErrConfig, err)
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s: is not a regular file: %w", path, ccproxy.ErrConfig)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		warning = fmt.Sprintf("%s: mode %s lets others write the file", path, info.Mode().Perm())
	}
	content, err = io.ReadAll(f)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ccproxy.ErrConfig, err)
	}
	return content, warning, nil
}
