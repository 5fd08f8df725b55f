package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

func raw(key, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{key: json.RawMessage(value)}
}

// TestSealedHides looks for anything of the credentials in what is kept.
func TestSealedHides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &store.Sealed{Store: &store.Dir{Path: dir}, Keys: store.Keys{store.NewKey()}}
	c := &oauth.Credentials{
		AccessToken: oauth.NewSecret("canary-1"), RefreshToken: oauth.NewSecret("canary-2"), AccountID: "canary-3",
		Scopes: []string{"canary-4"}, Extra: raw("canary-5", `"canary-6"`), Generation: 4,
	}
	for range 2 {
		if err := s.Save(t.Context(), "id", c); err != nil {
			t.Fatal(err)
		}
	}
	kept := read(t, filepath.Join(dir, "id.json"))
	for _, leak := range []string{"canary", base64.StdEncoding.EncodeToString([]byte("canary"))[:8], hex.EncodeToString([]byte("canary"))} {
		if strings.Contains(kept, leak) {
			t.Errorf("the file has %q", leak)
		}
	}
	if !strings.Contains(kept, `"generation":4`) {
		t.Error("the file does not tell the generation, which other stores compare")
	}
}

// TestSealedBinds wants nothing to open that was moved, changed, or sealed with another key.
func TestSealedBinds(t *testing.T) {
	t.Parallel()
	key := store.NewKey()
	damage := func(how func(text string) string) func(*oauth.Credentials) {
		return func(c *oauth.Credentials) { c.AccessToken = oauth.NewSecret(how(c.AccessToken.Reveal())) }
	}
	tests := []struct {
		name   string
		id     string
		keys   store.Keys
		change func(*oauth.Credentials)
		want   []error
	}{
		{"as it was", "id", store.Keys{key}, nil, nil},
		{"old key", "id", store.Keys{store.NewKey(), key}, nil, nil},
		{"another id", "other", store.Keys{key}, nil, []error{oauth.ErrCorrupt}},
		{"another key", "id", store.Keys{store.NewKey()}, nil, []error{oauth.ErrCorrupt, store.ErrKey}},
		{"another generation", "id", store.Keys{key}, func(c *oauth.Credentials) { c.Generation++ }, []error{oauth.ErrCorrupt}},
		{"cut off", "id", store.Keys{key}, damage(func(s string) string { return s[:len(s)-8] }), []error{oauth.ErrCorrupt}},
		{"empty box", "id", store.Keys{key}, damage(func(s string) string { return s[:26] }), []error{oauth.ErrCorrupt}},
		{"not base64", "id", store.Keys{key}, damage(func(s string) string { return s + "!" }), []error{oauth.ErrCorrupt}},
		{"no key id", "id", store.Keys{key}, damage(func(string) string { return "ccproxy-sealed:1:x" }), []error{oauth.ErrCorrupt}},
		{"plain", "id", store.Keys{key}, damage(func(string) string { return "plain" }), []error{oauth.ErrCorrupt}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inner := new(store.Memory)
			if err := (&store.Sealed{Store: inner, Keys: store.Keys{key}}).Save(t.Context(), "id", token("canary")); err != nil {
				t.Fatal(err)
			}
			c, err := inner.Load(t.Context(), "id")
			if err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(c)
			}
			if err := inner.Save(t.Context(), tt.id, c); err != nil {
				t.Fatal(err)
			}
			got, err := (&store.Sealed{Store: inner, Keys: tt.keys}).Load(t.Context(), tt.id)
			if len(tt.want) == 0 {
				if err != nil || got.AccessToken.Reveal() != "canary" {
					t.Errorf("Load = %v, %v", got, err)
				}
				return
			}
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("Load = %v, want %v", err, want)
				}
			}
			if len(tt.want) == 1 && errors.Is(err, store.ErrKey) {
				t.Errorf("Load = %v, which is not the key's fault", err)
			}
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	older, newer := store.NewKey(), store.NewKey()
	inner := &store.Dir{Path: t.TempDir()}
	with := func(keys ...store.Key) *store.Sealed {
		return &store.Sealed{Store: inner, Keys: store.Keys(keys), AllowPlain: true}
	}
	full := &oauth.Credentials{AccessToken: oauth.NewSecret("full"), Extra: raw("plan", `"max"`), Generation: 3}
	if err := errors.Join(
		with(older).Save(t.Context(), "a", full), with(newer).Save(t.Context(), "b", token("current")),
		inner.Save(t.Context(), "c", token("plain")), with(store.NewKey()).Save(t.Context(), "d", token("lost")),
	); err != nil {
		t.Fatal(err)
	}
	current := read(t, filepath.Join(inner.Path, "b.json"))
	err := with(newer, older).Rotate(t.Context())
	var at *store.Error
	if !errors.Is(err, store.ErrKey) || !errors.As(err, &at) || at.ID != "d" {
		t.Errorf("Rotate = %v, want ErrKey for d alone", err)
	}
	if read(t, filepath.Join(inner.Path, "b.json")) != current {
		t.Error("what was sealed with the first key was sealed again")
	}
	strict := &store.Sealed{Store: inner, Keys: store.Keys{newer}}
	got, err := strict.Load(t.Context(), "a")
	if diff := cmp.Diff(full, got); err != nil || diff != "" {
		t.Errorf("error %v, mismatch (-want +got):\n%s", err, diff)
	}
	wantToken(t, strict, "b", "current")
	wantToken(t, strict, "c", "plain")
	if err := strict.Delete(t.Context(), "d"); err != nil {
		t.Fatal(err)
	}
	if err := strict.Rotate(t.Context()); err != nil {
		t.Errorf("Rotate = %v, want nothing left to do", err)
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	bytes32 := bytes.Repeat([]byte{0xfb}, store.KeySize)
	key, err := store.KeyOf(bytes32)
	if err != nil {
		t.Fatal(err)
	}
	std, hexa := base64.StdEncoding.EncodeToString(bytes32), hex.EncodeToString(bytes32)
	other := store.NewKey()
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"base64", std, []string{key.ID()}},
		{"base64 for URLs", strings.TrimRight(base64.URLEncoding.EncodeToString(bytes32), "="), []string{key.ID()}},
		{"hex", hexa, []string{key.ID()}},
		{"several", other.Text().Reveal() + "\r\n" + std + ",\t" + hexa + "\n", []string{other.ID(), key.ID(), key.ID()}},
		{"none", " \n", nil},
		{"short", std + " " + std[:20], nil},
		{"password", "correct horse battery staple", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, err := store.ParseKeys(tt.text)
			var got []string
			for _, k := range keys {
				got = append(got, k.ID())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ids mismatch (-want +got):\n%s", diff)
			}
			if (tt.want == nil) != errors.Is(err, oauth.ErrInvalid) {
				t.Errorf("ParseKeys = %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), std[:20]) || strings.Contains(err.Error(), "horse")) {
				t.Errorf("the error quotes a key: %v", err)
			}
		})
	}
	if _, err := store.KeyOf([]byte("short")); !errors.Is(err, oauth.ErrInvalid) {
		t.Errorf("KeyOf = %v, want ErrInvalid", err)
	}
}

func TestKeysPrintNothing(t *testing.T) {
	t.Parallel()
	key := store.NewKey()
	text := key.Text().Reveal()
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %v", key, key, key, key, key, key, store.Keys{key})
	if strings.Contains(printed, text) || !strings.Contains(printed, key.ID()) || len(key.ID()) != 8 {
		t.Errorf("printed %s", printed)
	}
	if id := (store.Key{}).ID(); id != "" || !(store.Key{}).IsZero() {
		t.Errorf("the zero key has the id %q", id)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "credentials.key")
	if _, err := (store.KeyFile{Path: path}).Keys(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Keys without a file = %v, want fs.ErrNotExist", err)
	}
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			keys, err := store.KeyFile{Path: path, Create: true}.Keys(t.Context())
			if err != nil || len(keys) != 1 {
				t.Errorf("Keys = %v, %v", keys, err)
				return
			}
			ids[i] = keys[0].ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("those who made the file at the same time have the keys %q", ids)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	newer := store.NewKey()
	s := &store.Sealed{Store: new(store.Memory), Keys: store.KeyFile{Path: path}}
	if err := s.Save(t.Context(), "id", token("t")); err != nil {
		t.Fatal(err)
	}
	write(t, path, newer.Text().Reveal()+"\n"+read(t, path)) // a rotation of a running process
	wantToken(t, s, "id", "t")
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantToken(t, &store.Sealed{Store: s.Store, Keys: store.Keys{newer}}, "id", "t")
	write(t, path, "canary")
	_, err = s.Load(t.Context(), "id")
	if err == nil || errors.Is(err, oauth.ErrCorrupt) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Load with a spoilt key file = %v, want an error that is not the credentials' and quotes nothing", err)
	}
}

// TestSealedWithoutKeys wants no credentials to be written that nobody can open.
func TestSealedWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, source := range []store.KeySource{nil, store.Keys{}, store.Keys{{}}} {
		inner := new(store.Memory)
		s := &store.Sealed{Store: inner, Keys: source}
		if err := s.Save(t.Context(), "id", token("t")); err == nil {
			t.Errorf("Save with the keys %v succeeded", source)
		}
		if ids, _ := inner.List(t.Context()); len(ids) > 0 {
			t.Errorf("with the keys %v something was stored", source)
		}
	}
}
