package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// safe stands for a service that keeps keys, as clouds have them. It is asked for every operation, so that a
// rotation needs no restart; one that is far away keeps its answer for a while.
type safe struct {
	mu   sync.Mutex
	keys []store.Key
}

var _ store.KeySource = (*safe)(nil)

// Keys implements [store.KeySource]: the first one seals.
func (s *safe) Keys(ctx context.Context) ([]store.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, ctx.Err()
}

func (s *safe) set(keys ...store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

// Keys are changed while the program runs: the new one is put first, everything is sealed again, the old one goes.
func ExampleKeySource() {
	old, err := store.KeyOf([]byte("0123456789abcdef0123456789abcdef")) // 32 random bytes
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(old) // in logs, by its id
	source := new(safe)
	source.set(old)
	sealed := &store.Sealed{Store: new(store.Memory), Keys: source}
	ctx := context.Background()
	creds := &oauth.Credentials{AccessToken: oauth.NewSecret("token"), AccountID: "ada"}
	if err := sealed.Save(ctx, "claude-api", creds); err != nil {
		fmt.Println(err)
		return
	}

	fresh := store.NewKey()
	source.set(fresh, old)
	if err := sealed.Rotate(ctx); err != nil {
		fmt.Println(err) // the old key has to stay
		return
	}
	source.set(fresh)
	opened, err := sealed.Load(ctx, "claude-api")
	fmt.Println(opened.AccountID, err)

	source.set(old) // a process that nobody told
	_, err = sealed.Load(ctx, "claude-api")
	fmt.Println(errors.Is(err, store.ErrKey), errors.Is(err, oauth.ErrCorrupt))
	// Output:
	// key a0e53602
	// ada <nil>
	// true true
}

// keyLines is the content of a file of keys.
func keyLines(keys ...store.Key) []byte {
	var text []byte
	for _, key := range keys {
		text = append(text, key.Text().Reveal()+"\n"...)
	}
	return text
}

// A key in a file of its own, such as a mounted secret, is read each time. Here it is made when there is none.
func ExampleKeyFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := store.KeyFile{Path: filepath.Join(dir, "secrets", "key"), Create: true}
	sealed := &store.Sealed{Store: &store.Dir{Path: filepath.Join(dir, "logins")}, Keys: file}
	ctx := context.Background()
	err = sealed.Save(ctx, "claude-api", &oauth.Credentials{AccessToken: oauth.NewSecret("token")})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, err := file.Keys(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	// A rotation: a new first line, and the old key below it.
	fresh := store.NewKey()
	if err := os.WriteFile(file.Path, keyLines(fresh, first[0]), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sealed.Rotate(ctx))
	both, err := file.Keys(ctx)
	fmt.Println(both[0].ID() == fresh.ID(), both[1].ID() == first[0].ID(), err)
	// Output:
	// <nil>
	// true true <nil>
}
