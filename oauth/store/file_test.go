package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

func token(text string) *oauth.Credentials {
	return &oauth.Credentials{AccessToken: oauth.NewSecret(text)}
}

func wantToken(t *testing.T, s oauth.Store, id, want string) {
	t.Helper()
	c, err := s.Load(t.Context(), id)
	if err != nil || c.AccessToken.Reveal() != want {
		t.Errorf("Load = %v, %v; want the token %q", c, err, want)
	}
}

func skipWithoutModes(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no modes, and no links without privileges")
	}
}

// TestModes watches the file and the directories while they are made and replaced.
func TestModes(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b")
	path := filepath.Join(dir, "login.json")
	s := &store.File{Path: path}
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if info, err := e.Info(); err == nil && info.Mode() != 0o600 {
					t.Errorf("%s has mode %v", e.Name(), info.Mode())
				}
			}
		}
	})
	for range 20 {
		if err := s.Save(t.Context(), "id", token("t")); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	watch.Wait()
	for _, d := range []string{filepath.Join(root, "a"), dir} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v; want 0700", d, info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), "id", token("t")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("a file that was readable to all has mode %v, %v after a Save", info.Mode(), err)
	}
}

// TestLinkedFile wants the target of a link to be written, and the link to stay: others use the target.
func TestLinkedFile(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	root := t.TempDir()
	target := filepath.Join(root, "dotfiles", "login.json")
	link := filepath.Join(root, "home", "login.json")
	for _, dir := range []string{filepath.Dir(target), filepath.Dir(link)} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join("..", "dotfiles", "login.json"), link); err != nil {
		t.Fatal(err)
	}
	linked, direct := &store.File{Path: link}, &store.File{Path: target}
	if _, err := linked.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Load through a link to nothing = %v, want ErrNoCredentials", err)
	}
	for _, text := range []string{"new", "newer"} {
		if err := linked.Save(t.Context(), "id", token(text)); err != nil {
			t.Fatal(err)
		}
		wantToken(t, direct, "id", text)
		wantToken(t, linked, "id", text)
		if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
			t.Errorf("the link became %v, %v", info.Mode(), err)
		}
		if n := len(names(t, filepath.Dir(link))); n != 1 {
			t.Errorf("%d files beside the link, want none", n-1)
		}
	}
	unlock, err := linked.Lock(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextWithTimeout(t, 50*time.Millisecond)
	defer cancel()
	if _, err := direct.Lock(ctx, "id"); err == nil {
		t.Error("the link and its target have different locks")
	}
	unlock()
}

// TestOddFiles wants everything that is no file to be refused, left alone and not waited for.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	tests := []struct {
		name string
		make func(path string) error
	}{
		{"directory", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"pipe", makePipe},
		{"device", func(path string) error { return os.Symlink("/dev/null", path) }},
		{"links in a circle", func(path string) error { return os.Symlink(path, path) }},
		{"large", func(path string) error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o600) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "login.json")
			if err := tt.make(path); err != nil {
				t.Skip(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			s := &store.File{Path: path}
			if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrCorrupt) {
				t.Errorf("Load = %v, want ErrCorrupt", err)
			}
			if err := s.Save(t.Context(), "id", token("t")); !errors.Is(err, oauth.ErrCorrupt) {
				t.Errorf("Save = %v, want ErrCorrupt", err)
			}
			after, err := os.Lstat(path)
			if err != nil || before.Mode() != after.Mode() || before.Size() != after.Size() {
				t.Errorf("it became %v, %v", after, err)
			}
		})
	}
}

// TestDirRefusesLinks keeps a Dir from being led out of its directory.
func TestDirRefusesLinks(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	root := t.TempDir()
	elsewhere := filepath.Join(root, "elsewhere")
	write(t, elsewhere, `{"access_token":"t"}`)
	s := &store.Dir{Path: filepath.Join(root, "logins")}
	if err := s.Save(t.Context(), "a", token("t")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(s.Path, "id.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrCorrupt) {
		t.Errorf("Load = %v, want ErrCorrupt", err)
	}
	if err := s.Save(t.Context(), "id", token("new")); !errors.Is(err, oauth.ErrCorrupt) {
		t.Errorf("Save = %v, want ErrCorrupt", err)
	}
	if got := read(t, elsewhere); got != `{"access_token":"t"}` {
		t.Errorf("the file elsewhere holds %s", got)
	}
}

// TestCorruptFileStays wants a file that cannot be understood to be told with its place, and never written over.
func TestCorruptFileStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.json")
	const torn = `{"claudeAiOauth":{"accessToken":"canary`
	write(t, path, torn)
	s := &store.File{Path: path, ID: onlyID, Shape: store.Claude{}}
	_, loadErr := s.Load(t.Context(), onlyID)
	for _, err := range []error{loadErr, s.Save(t.Context(), onlyID, token("t"))} {
		var at *store.Error
		if !errors.Is(err, oauth.ErrCorrupt) || !errors.As(err, &at) || at.Place != path || at.ID != onlyID {
			t.Errorf("error %v, want ErrCorrupt with the file and the id", err)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Error("the error quotes the file")
		}
	}
	if got := read(t, path); got != torn {
		t.Errorf("the file holds %q, want it unchanged", got)
	}
	write(t, path, " \n")
	if err := s.Save(t.Context(), onlyID, token("t")); err != nil {
		t.Errorf("Save over a file without content = %v", err)
	}
}

// TestTornForAMoment loads while another program writes the file in place.
func TestTornForAMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "login.json")
	s := &store.File{Path: path, Shape: store.Claude{}}
	write(t, path, "") // truncated, and not yet written
	done := make(chan struct{})
	timer := time.AfterFunc(30*time.Millisecond, func() {
		defer close(done)
		_ = os.WriteFile(path, []byte(claudeFile), 0o600)
	})
	defer timer.Stop()
	wantToken(t, s, "id", "sk-a")
	<-done
}

// TestManyIDs lets a File without an id answer for all.
func TestManyIDs(t *testing.T) {
	t.Parallel()
	s := &store.File{Path: filepath.Join(t.TempDir(), "login.json")}
	if err := s.Save(t.Context(), "one", token("t")); err != nil {
		t.Fatal(err)
	}
	wantToken(t, s, "two", "t")
	if ids, err := s.List(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("List = %q, %v; want ErrUnsupported", ids, err)
	}
}

func TestNoPath(t *testing.T) {
	t.Parallel()
	for _, s := range []oauth.Store{new(store.File), new(store.Dir)} {
		if err := s.Save(t.Context(), "id", token("t")); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("%T: Save = %v, want ErrInvalid", s, err)
		}
		if _, err := s.Load(t.Context(), "id"); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("%T: Load = %v, want ErrInvalid", s, err)
		}
		if _, err := s.(oauth.Locker).Lock(t.Context(), "id"); !errors.Is(err, oauth.ErrInvalid) {
			t.Errorf("%T: Lock = %v, want ErrInvalid", s, err)
		}
	}
}

// TestRefusedValues wants what JSON would change to be refused, and not to be found out when it is needed.
func TestRefusedValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		c    *oauth.Credentials
	}{
		{"bytes", token("\xff")},
		{"placeholder", token(oauth.NewSecret("x").String())},
		{"scope", &oauth.Credentials{AccessToken: oauth.NewSecret("t"), Scopes: []string{"\xff"}}},
		{"extra", &oauth.Credentials{AccessToken: oauth.NewSecret("t"), Extra: raw("a", `1,"access_token":"x"`)}},
		{"extra key", &oauth.Credentials{AccessToken: oauth.NewSecret("t"), Extra: raw("\xff", `1`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &store.File{Path: filepath.Join(t.TempDir(), "login.json"), Shape: store.Codex{}}
			if err := s.Save(t.Context(), "id", tt.c); !errors.Is(err, oauth.ErrInvalid) {
				t.Errorf("Save = %v, want ErrInvalid", err)
			}
			if n := len(names(t, filepath.Dir(s.Path))); n != 0 {
				t.Errorf("%d files were written", n)
			}
		})
	}
}

// TestExposedFiles wants a file that others may read to be refused until it is mended, by hand or by a Save.
func TestExposedFiles(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o666} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "login.json")
			s := &store.File{Path: path, ID: "id"}
			if err := errors.Join(s.Save(t.Context(), "id", token("canary")), os.Chmod(path, mode)); err != nil {
				t.Fatal(err)
			}
			_, err := s.Load(t.Context(), "id")
			if !errors.Is(err, store.ErrExposed) || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), "canary") {
				t.Errorf("Load = %v, want ErrExposed that tells what to do", err)
			}
			if ids, err := s.List(t.Context()); err != nil || len(ids) != 1 {
				t.Errorf("List = %q, %v; want the login", ids, err)
			}
			wantToken(t, &store.File{Path: path, AllowExposed: true}, "id", "canary")
			if err := s.Save(t.Context(), "id", token("new")); err != nil {
				t.Fatal(err)
			}
			wantToken(t, s, "id", "new")
		})
	}
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, store.NewKey().Text().Reveal())
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (store.KeyFile{Path: key}).Keys(t.Context()); !errors.Is(err, store.ErrExposed) {
		t.Errorf("Keys = %v, want ErrExposed", err)
	}
}

// TestExposedByOthers wants the modes of files of another user to be that user's business.
func TestExposedByOthers(t *testing.T) {
	t.Parallel()
	skipWithoutModes(t)
	path := filepath.Join(t.TempDir(), "login.json")
	s := &store.File{Path: path}
	if err := errors.Join(s.Save(t.Context(), "id", token("t")), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Skip("only root gives files away:", err)
	}
	wantToken(t, s, "id", "t")
}
