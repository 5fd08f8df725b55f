package store_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.TestStore(t, func(*testing.T) oauth.Store { return new(store.Memory) })
}

func TestFile(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"native", "claude", "codex"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			place := func(s oauth.Store) string { return kind + ":" + s.(*store.File).Path }
			storetest.Suite{
				ID: onlyID,
				New: func(t *testing.T) oauth.Store {
					t.Helper()
					return mustOpen(t, kind+":"+t.TempDir()+"/new/login.json")
				},
				Reopen: func(t *testing.T, s oauth.Store) oauth.Store {
					t.Helper()
					return mustOpen(t, place(s))
				},
				Corrupt: func(t *testing.T, s oauth.Store, _ string) {
					t.Helper()
					write(t, s.(*store.File).Path, `{"broken`)
				},
				Place: place,
			}.Run(t)
		})
	}
}

func TestDir(t *testing.T) {
	t.Parallel()
	storetest.Suite{
		New: func(t *testing.T) oauth.Store {
			t.Helper()
			return &store.Dir{Path: filepath.Join(t.TempDir(), "new", "logins")}
		},
		Reopen: func(_ *testing.T, s oauth.Store) oauth.Store { return &store.Dir{Path: s.(*store.Dir).Path} },
		Corrupt: func(t *testing.T, s oauth.Store, _ string) {
			t.Helper()
			overwriteAll(t, s.(*store.Dir).Path, `[]`)
		},
		Place: func(s oauth.Store) string { return "dir:" + s.(*store.Dir).Path },
	}.Run(t)
}

func TestSealed(t *testing.T) {
	t.Parallel()
	keys := store.Keys{store.NewKey(), store.NewKey()}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		storetest.Suite{
			New: func(*testing.T) oauth.Store { return &store.Sealed{Store: new(store.Memory), Keys: keys} },
			Corrupt: func(t *testing.T, s oauth.Store, id string) {
				t.Helper()
				plain := &oauth.Credentials{AccessToken: oauth.NewSecret("plain")}
				if err := s.(*store.Sealed).Store.Save(t.Context(), id, plain); err != nil {
					t.Fatal(err)
				}
			},
		}.Run(t)
	})
	t.Run("dir", func(t *testing.T) {
		t.Parallel()
		over := func(path string) oauth.Store { return &store.Sealed{Store: &store.Dir{Path: path}, Keys: keys} }
		path := func(s oauth.Store) string { return s.(*store.Sealed).Store.(*store.Dir).Path }
		storetest.Suite{
			New: func(t *testing.T) oauth.Store {
				t.Helper()
				return over(filepath.Join(t.TempDir(), "sealed"))
			},
			Reopen: func(_ *testing.T, s oauth.Store) oauth.Store { return over(path(s)) },
			Corrupt: func(t *testing.T, s oauth.Store, _ string) {
				t.Helper()
				overwriteAll(t, path(s), `{"access_token":"plain"}`)
			},
		}.Run(t)
	})
}

func mustOpen(t *testing.T, place string) oauth.Store {
	t.Helper()
	s, err := open(place)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// overwriteAll puts content in the place of each login in a directory.
func overwriteAll(t *testing.T, dir, content string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no logins in the directory, %v", err)
	}
	for _, path := range paths {
		write(t, path, content)
	}
}

// jwt makes a token with these claims.
func jwt(claims string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"none"}`) + "." + part(claims) + ".c2ln"
}
