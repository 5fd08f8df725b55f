package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// vault stands for a service of an application's own that keeps secrets. Package oauth/store/storetest checks
// whether a store does all that it must.
type vault struct {
	mu    sync.Mutex
	rows  map[string]string
	locks map[string]chan struct{} // of the ids that are locked, closed with their end
}

var (
	_ oauth.Store  = (*vault)(nil)
	_ oauth.Lister = (*vault)(nil)
	_ oauth.Locker = (*vault)(nil)
)

// vaultRow has the tokens in plain: marshalled themselves, credentials are for display.
type vaultRow struct {
	Access, Refresh, ID, Type, Account string
	Expiry                             time.Time
	Scopes                             []string
	Generation                         uint64
	Extra                              map[string]json.RawMessage
}

// Load implements [oauth.Store].
func (v *vault) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	v.mu.Lock()
	text, ok := v.rows[id]
	v.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !ok {
		return nil, oauth.ErrNoCredentials
	}
	var row vaultRow
	if json.Unmarshal([]byte(text), &row) != nil {
		return nil, oauth.ErrCorrupt // and nothing of what it says
	}
	return &oauth.Credentials{
		AccessToken: oauth.NewSecret(row.Access), RefreshToken: oauth.NewSecret(row.Refresh),
		IDToken: oauth.NewSecret(row.ID), TokenType: row.Type, Expiry: row.Expiry, Scopes: row.Scopes,
		AccountID: row.Account, Generation: row.Generation, Extra: row.Extra,
	}, nil
}

// Save implements [oauth.Store].
func (v *vault) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := store.Check(id, c); err != nil {
		return err // it would take the place of credentials that work
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := json.Marshal(vaultRow{
		Access: c.AccessToken.Reveal(), Refresh: c.RefreshToken.Reveal(), ID: c.IDToken.Reveal(),
		Type: c.TokenType, Account: c.AccountID, Expiry: c.Expiry, Scopes: c.Scopes,
		Generation: c.Generation, Extra: c.Extra,
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rows == nil {
		v.rows = make(map[string]string)
	}
	v.rows[id] = string(text)
	return nil
}

// Delete implements [oauth.Store].
func (v *vault) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.rows, id)
	return nil
}

// List implements [oauth.Lister].
func (v *vault) List(ctx context.Context) ([]string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.rows)), ctx.Err()
}

// Lock implements [oauth.Locker].
func (v *vault) Lock(ctx context.Context, id string) (unlock func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v.mu.Lock()
		held, locked := v.locks[id]
		if !locked {
			break
		}
		v.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer v.mu.Unlock()
	if v.locks == nil {
		v.locks = make(map[string]chan struct{})
	}
	mine := make(chan struct{})
	v.locks[id] = mine
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.locks, id)
		close(mine)
	}, nil
}

// Two processes share a store. However many ask at once, one of them spends the refresh token, which works once,
// and both have what came of it.
func ExampleStore() {
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	shared := new(vault)
	ended := server.Login()
	ended.Expiry = time.Now().Add(-time.Minute)
	if err := shared.Save(ctx, "acme", ended); err != nil {
		log.Fatal(err)
	}
	var wg sync.WaitGroup
	var creds [2]oauth.Credential
	for process := range creds {
		manager := &oauth.TokenManager{Store: shared}
		source, err := manager.Add(oauth.Account{Provider: exampleProvider(server)})
		if err != nil {
			log.Fatal(err)
		}
		wg.Go(func() {
			creds[process], _ = source.Token(ctx)
			_ = manager.Shutdown(ctx)
		})
	}
	wg.Wait()
	fmt.Println(creds[0].Token.Equal(creds[1].Token), creds[1].Generation, server.Counts().Refreshes)
	fmt.Println(shared.List(ctx))
	// Output:
	// true 2 1
	// [acme] <nil>
}
