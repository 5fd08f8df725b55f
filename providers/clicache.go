package providers

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const maxCLICache = 256 << 10

// cachePath is the file of a version: versions are text of the program's own.
func (c *CLIHeaders) cachePath(version string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, version)
	return filepath.Join(c.program.CacheDir, c.program.Name+"_headers_"+plain+".json")
}

// cached reads what was learned before of this very version. A file that says anything else is none.
func (c *CLIHeaders) cached(version string) (*learned, bool) {
	if c.program.CacheDir == "" || version == "" {
		return nil, false
	}
	f, err := os.Open(c.cachePath(version))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCLICache))
	var l learned
	if err != nil || json.Unmarshal(b, &l) != nil || l.Version != version || len(l.Header) == 0 {
		return nil, false
	}
	known := make(http.Header, len(l.Header))
	for name, values := range l.Header {
		if len(values) != 1 || !isVisible(values[0]) {
			return nil, false
		}
		known[http.CanonicalHeaderKey(name)] = values
	}
	l.Header = c.taken(known)
	return &l, true
}

// isVisible tells whether a text can stand in a header and break none. A name that cannot is not among those allowed.
func isVisible(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f })
}

// cache writes what was learned, in one step.
func (c *CLIHeaders) cache(l *learned) error {
	if c.program.CacheDir == "" || l.Version == "" {
		return nil
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.program.CacheDir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.program.CacheDir, ".ccproxy-*.tmp") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.cachePath(l.Version))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
