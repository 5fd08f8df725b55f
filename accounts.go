package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// accounts are the logins of a proxy: one for each OAuth provider, under the provider's name.
type accounts struct {
	proxy   *Proxy
	tokens  oauth.TokenManager
	logins  oauth.Sessions
	started sync.Map // of providers' names to *account
}

// account is what the proxy knows of one login besides its tokens.
type account struct {
	plugin   string
	provider oauth.Provider
	store    oauth.Store

	mu     sync.Mutex
	peeked time.Time // when the store was looked at for somebody who only watches
	seen   oauth.State
}

// add makes a provider known and its account with it. remove takes both out again; it waits for a refresh that runs.
func (a *accounts) add(plugin string, p oauth.Provider) (remove func(), err error) {
	forget, err := a.proxy.oauth.Register(p)
	if err != nil {
		return nil, err
	}
	acc := &account{plugin: plugin, provider: p, store: a.tokens.Store}
	if own, ok := p.(oauth.StoreProvider); ok {
		if s := own.Store(); s != nil {
			acc.store = s
		}
	}
	name := p.Info().Name
	if _, err := a.tokens.Add(oauth.Account{ID: name, Provider: p, Store: acc.store}); err != nil {
		forget()
		return nil, err
	}
	a.started.Store(name, acc)
	return func() {
		forget()
		a.started.CompareAndDelete(name, acc)
		ctx, cancel := context.WithTimeout(context.Background(), a.proxy.limits.PluginStop)
		defer cancel()
		if err := a.tokens.Remove(ctx, name); err != nil {
			a.proxy.logger.Error("OAuth account removed while it was busy", "account", name, "error", err)
		}
	}, nil
}

func (a *accounts) find(name string) (*account, bool) {
	v, _ := a.started.Load(name)
	acc, ok := v.(*account)
	return acc, ok
}

// stop waits for refreshes: as long as ctx has time, and for as long as a plugin may take to stop if that is more.
// What a refresh brings cannot be had a second time.
func (a *accounts) stop(ctx context.Context) error {
	patience := time.Now().Add(max(a.proxy.limits.PluginStop, longestRefresh))
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Now().Add(max(a.proxy.limits.PluginStop, time.Until(deadline)))
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := a.tokens.Shutdown(ctx); err != nil {
		return fmt.Errorf("OAuth accounts: %w", err)
	}
	return nil
}

// longestRefresh is what a refresh and its save may take by the defaults of the manager, with some room.
const longestRefresh = time.Minute

// told passes what happened to an account on to the log and to hooks. Events hold no secrets.
func (a *accounts) told(e oauth.Event) {
	if acc, ok := a.find(e.Account); ok {
		acc.forgetPeek()
	}
	level := slog.LevelDebug
	switch e.Kind {
	case oauth.EventNeedsLogin, oauth.EventSaveFailed:
		level = slog.LevelError
	case oauth.EventRefreshFailed:
		level = slog.LevelWarn
	case oauth.EventLogin, oauth.EventLogout, oauth.EventSaved:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{slog.String("account", e.Account), slog.String("kind", string(e.Kind))}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	a.proxy.logger.LogAttrs(context.Background(), level, "OAuth account changed", attrs...)
	plugin := ""
	if acc, ok := a.find(e.Account); ok {
		plugin = acc.plugin
	}
	for _, payload := range payloadsOf(e) {
		a.proxy.emit(plugin, payload)
	}
}

// payloadsOf are the hook events of what happened to an account.
func payloadsOf(e oauth.Event) []hooks.Payload {
	failed := func(op string) hooks.Payload {
		return &hooks.OAuthError{Provider: e.Provider, Account: e.AccountID, Op: op, Err: errorText(e.Err)}
	}
	refreshed := &hooks.OAuthRefreshResponse{
		Provider: e.Provider, Account: e.AccountID, Success: e.Err == nil, Err: errorText(e.Err),
	}
	if refreshed.Success {
		refreshed.ExpiresAt = e.Expiry
	}
	switch e.Kind {
	case oauth.EventRefreshing:
		return []hooks.Payload{&hooks.OAuthRefreshRequest{
			Provider: e.Provider, Account: e.AccountID, ExpiresAt: e.Expiry,
		}}
	case oauth.EventRefreshed, oauth.EventRefreshFailed:
		return []hooks.Payload{refreshed}
	case oauth.EventNeedsLogin:
		return []hooks.Payload{refreshed, failed("refresh")}
	case oauth.EventSaveFailed:
		return []hooks.Payload{failed("save")}
	case oauth.EventLogin:
		return []hooks.Payload{&hooks.OAuthTokenResponse{
			Provider: e.Provider, Account: e.AccountID, Success: true, ExpiresAt: e.Expiry,
		}}
	case oauth.EventLogout:
		if e.Err != nil {
			return []hooks.Payload{failed("revoke")}
		}
	}
	return nil
}

// peekEvery is how often the store is looked at for those who only watch. /health is public.
const peekEvery = 5 * time.Second

// state is that of the manager, or where nobody has needed a token yet, what a look into the store tells.
func (a *account) state(ctx context.Context, s oauth.Status) oauth.State {
	if s.State != oauth.StateUnknown {
		return s.State
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.peeked) >= peekEvery {
		a.peeked = now
		a.seen = oauth.StateUnknown
		_, err := a.load(ctx, s.ID)
		switch {
		case errors.Is(err, oauth.ErrNoCredentials):
			a.seen = oauth.StateNoCredentials
		case errors.Is(err, oauth.ErrCorrupt):
			a.seen = oauth.StateCorrupt
		}
	}
	return a.seen
}

func (a *account) forgetPeek() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peeked = time.Time{}
}

// load gives what is stored. A store is somebody else's code, which may panic, or be slow.
func (a *account) load(ctx context.Context, id string) (c *oauth.Credentials, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout/2)
	defer cancel()
	err = guardCall(func() (err error) {
		c, err = a.store.Load(ctx, id)
		return err
	})
	if err == nil && c == nil {
		err = oauth.ErrNoCredentials
	}
	return c, err
}
