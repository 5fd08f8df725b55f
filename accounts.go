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
	"github.com/ccproxy-go/ccproxy/oauth/store"
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

	mu      sync.Mutex
	loading int       // calls of the store's Load that have not returned
	peeked  time.Time // when the store was looked at for somebody who only watches
	seen    oauth.State
}

// setUp makes the accounts those of a proxy, before anything uses them.
func (a *accounts) setUp(p *Proxy, o options) {
	a.proxy, a.logins.Store = p, o.sessions
	a.tokens.Store, a.tokens.OnEvent = o.credentials, a.told
	if o.credentials == nil {
		a.tokens.Store = new(store.Memory)
	}
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
	default:
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
	default:
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
	if a.mayPeek() {
		_, err := a.load(ctx, s.ID)
		a.peek(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// mayPeek tells whether it is time to look at the store again, and nobody does: a store that hangs holds one
// goroutine, however many ask.
func (a *account) mayPeek() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == "" {
		a.seen = oauth.StateUnknown
	}
	now := time.Now()
	if a.loading > 0 || now.Sub(a.peeked) < peekEvery {
		return false
	}
	a.peeked = now
	return true
}

func (a *account) peek(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case errors.Is(err, oauth.ErrNoCredentials):
		a.seen = oauth.StateNoCredentials
	case errors.Is(err, oauth.ErrCorrupt):
		a.seen = oauth.StateCorrupt
	default:
		a.seen = oauth.StateUnknown
	}
}

func (a *account) forgetPeek() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peeked = time.Time{}
}

// load gives what is stored. A store is somebody else's code, which may panic, or not return.
func (a *account) load(ctx context.Context, id string) (*oauth.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	a.count(+1)
	found := make(chan *oauth.Credentials, 1)
	err := begin(func() error {
		defer a.count(-1)
		c, err := a.store.Load(ctx, id)
		found <- c
		return err
	}).wait(ctx)
	if err != nil {
		return nil, err
	}
	c := <-found
	if c == nil {
		return nil, oauth.ErrNoCredentials
	}
	return c, nil
}

// loadTimeout is shorter than the time of a health check.
const loadTimeout = healthTimeout / 2

func (a *account) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loading += n
}
