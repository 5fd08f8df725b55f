package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// sessionTable stands for a table of a database that several processes share.
type sessionTable struct {
	mu   sync.Mutex
	rows map[string]string
}

// sessionRow has the secrets in plain: marshalled themselves, they are placeholders.
type sessionRow struct {
	State, Verifier, Provider, RedirectURI string
	Expires                                time.Time
}

// Put implements [oauth.SessionStore]. The key tells nothing of the state; the row should be encrypted at rest.
func (t *sessionTable) Put(ctx context.Context, key string, s oauth.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	row, err := json.Marshal(sessionRow{
		s.State.Reveal(), s.Verifier.Reveal(), s.Provider, s.RedirectURI, s.Expires,
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = make(map[string]string)
	}
	t.rows[key] = string(row)
	return nil
}

// Take implements [oauth.SessionStore]: it reads and deletes in one step, as DELETE … RETURNING does.
func (t *sessionTable) Take(ctx context.Context, key string) (oauth.Session, error) {
	if err := ctx.Err(); err != nil {
		return oauth.Session{}, err
	}
	t.mu.Lock()
	text, ok := t.rows[key]
	delete(t.rows, key)
	t.mu.Unlock()
	if !ok {
		return oauth.Session{}, oauth.ErrSession
	}
	var row sessionRow
	if err := json.Unmarshal([]byte(text), &row); err != nil {
		return oauth.Session{}, errors.New("session row: not what Put wrote") // and nothing of it
	}
	return oauth.Session{
		State: oauth.NewSecret(row.State), Verifier: oauth.NewSecret(row.Verifier),
		Provider: row.Provider, RedirectURI: row.RedirectURI, Expires: row.Expires,
	}, nil
}

// A user may come back to another process than the one that sent the browser away.
func ExampleSessionStore() {
	const here = "https://app.example/callback"
	var table oauth.SessionStore = new(sessionTable)
	one, other := oauth.Sessions{Store: table}, oauth.Sessions{Store: table, TTL: time.Minute}

	ctx := context.Background()
	begun, err := one.Begin(ctx, "acme", here)
	if err != nil {
		log.Fatal(err)
	}
	finished, err := other.Finish(ctx, "acme", here, begun.State.Reveal())
	fmt.Println(finished.Verifier.Equal(begun.Verifier), err)
	_, err = one.Finish(ctx, "acme", here, begun.State.Reveal()) // it works once, wherever
	fmt.Println(err)
	// Output:
	// true <nil>
	// unknown or expired login session
}

// Whoever begins logins and never comes back takes no more memory than that of the limit.
func ExampleMemorySessions() {
	memory := &oauth.MemorySessions{Limit: 2}
	sessions := oauth.Sessions{Store: memory}
	ctx := context.Background()
	var states []oauth.Secret
	for range 3 {
		begun, err := sessions.Begin(ctx, "acme", "https://app.example/callback")
		if err != nil {
			log.Fatal(err)
		}
		states = append(states, begun.State)
	}
	fmt.Println(memory.Len())
	for _, state := range states { // the oldest had to make room
		_, err := sessions.Finish(ctx, "acme", "https://app.example/callback", state.Reveal())
		fmt.Println(err)
	}
	// Output:
	// 2
	// unknown or expired login session
	// <nil>
	// <nil>
}
