package balancer

import (
	"context"
	"log/slog"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// State is what several proxies share of their accounts. It is kept by provider and account. Times are spans, not
// points in time, so that clocks need not agree. Its methods are called concurrently, with contexts that end soon.
type State interface {
	// Load returns what is known of the accounts of a provider, by their names. One that it knows nothing of may be
	// left out, or be the zero Record.
	Load(ctx context.Context, provider string) (map[string]Record, error)
	// Cool lets an account cool down, unless it does for longer already. A cooldown that is no last resort goes before
	// one that is, however long they are.
	Cool(ctx context.Context, provider, account string, c Cooldown) error
	// Switch switches an account off, or on again, which ends its cooldown too.
	Switch(ctx context.Context, provider, account string, on bool) error
}

// Record is what a [State] knows of an account.
type Record struct {
	// Off tells that an operator has switched it off.
	Off bool
	// Cooldown is what is left of it.
	Cooldown Cooldown
}

// Cooldown is a time in which an account is left alone.
type Cooldown struct {
	// For is how long it lasts. Zero means that there is none.
	For time.Duration
	// Reason tells people why.
	Reason string
	// LastResort tells that the account may be used where no other is left.
	LastResort bool
}

// Event is the data of the custom event "balancer.account".
type Event struct {
	Provider, Account string
	// State is "available", "cooling" or "off".
	State string
	// Cooldown is that of the account, if it cools down.
	Cooldown Cooldown
}

// The states of accounts.
const (
	stateAvailable = "available"
	stateCooling   = "cooling"
	stateOff       = "off"
)

const (
	// freshness is how old the shared state may be that a request is decided by.
	freshness = time.Second
	// statePause is how long a state is left alone that did not answer.
	statePause = 5 * time.Second
	// stateTimeout bounds what a request waits for it.
	stateTimeout = 500 * time.Millisecond
)

// tell passes an event on to hooks and the log.
func (p *plugin) tell(e Event) {
	p.pc.Logger.LogAttrs(context.Background(), slog.LevelInfo, "account changed",
		slog.String("provider", e.Provider), slog.String("account", e.Account), slog.String("state", e.State),
		slog.String("reason", e.Cooldown.Reason), slog.Duration("cooldown", e.Cooldown.For))
	if p.pc.Hooks.Enabled(hooks.EventCustom) {
		p.pc.Hooks.Emit(hooks.Context{
			Provider: e.Provider, Payload: &hooks.Custom{Name: "balancer.account", Data: e},
		})
	}
}

// cool lets an account cool down, here and for those who share.
func (p *pool) cool(ctx context.Context, m *member, c Cooldown) {
	p.mu.Lock()
	now := time.Now()
	if m.keeps(now, c) {
		p.mu.Unlock()
		return
	}
	news := !m.cools(now)
	m.until, m.reason, m.lastResort, m.changed = now.Add(c.For), c.Reason, c.LastResort, now
	p.mu.Unlock()
	if news {
		p.tell(Event{Provider: p.provider, Account: m.name, State: stateCooling, Cooldown: c})
	}
	_ = p.share(ctx, m, &m.owesUntil, func(ctx context.Context) error { // it is noted
		return p.state.Cool(ctx, p.provider, m.name, c)
	})
}

// keeps reports whether an account's cooldown stays as it is beside another one: one that is no last resort goes first,
// else the longer one.
func (m *member) keeps(now time.Time, c Cooldown) bool {
	if m.cools(now) && m.lastResort != c.LastResort {
		return c.LastResort
	}
	return !now.Add(c.For).After(m.until)
}

// flip switches an account on or off. The error tells that those who share do not know of it.
func (p *pool) flip(ctx context.Context, m *member, on bool) error {
	p.mu.Lock()
	m.off, m.changed = !on, time.Now()
	state := stateOff
	if on {
		m.until, m.reason, m.failures, m.troubles, state = time.Time{}, "", 0, 0, stateAvailable
	}
	p.mu.Unlock()
	p.tell(Event{Provider: p.provider, Account: m.name, State: state})
	return p.share(ctx, m, &m.owesOff, func(ctx context.Context) error {
		return p.state.Switch(ctx, p.provider, m.name, on)
	})
}

// share writes a change where others see it. What fails is owed, and written again with the next look at the state.
func (p *pool) share(ctx context.Context, m *member, owes *bool, write func(context.Context) error) error {
	if p.state == nil {
		return nil
	}
	p.mu.Lock()
	*owes = true // until it is written, what others have is old
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
	defer cancel()
	err := write(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	*owes, m.changed = err != nil, time.Now()
	p.noteState(err)
	return err
}

// noteState is called with mu held.
func (p *pool) noteState(err error) {
	switch {
	case err != nil && p.away == nil:
		p.logger.Warn("the state of accounts cannot be shared", slog.Any("error", err))
	case err == nil && p.away != nil:
		p.logger.Info("the state of accounts can be shared again")
	}
	p.away = err
	if err != nil {
		p.loadAt = time.Now().Add(statePause)
	}
}

func (p *pool) stateError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away
}

// load looks at the shared state, if it is time to. One request does, and others go by what is known.
func (p *pool) load(ctx context.Context) {
	if p.state == nil {
		return
	}
	p.mu.Lock()
	now := time.Now()
	due := !now.Before(p.loadAt)
	if due {
		p.loadAt = now.Add(freshness)
	}
	p.mu.Unlock()
	if !due {
		return
	}
	limited, cancel := context.WithTimeout(ctx, stateTimeout)
	records, err := p.state.Load(limited, p.provider)
	cancel()
	if err != nil && ctx.Err() != nil {
		return // the client has left
	}
	p.mu.Lock()
	p.noteState(err)
	var late []*member
	if err == nil {
		late = p.take(records, now)
	}
	p.mu.Unlock()
	for _, m := range late {
		if p.catchUp(ctx, m) != nil {
			return
		}
	}
}

// take puts what others know in the place of what is known here, unless that is newer. It returns the accounts that the
// others have to be told of, and is called with mu held.
func (p *pool) take(records map[string]Record, asked time.Time) (late []*member) {
	now := time.Now()
	for _, m := range p.members {
		if m.owesOff || m.owesUntil {
			late = append(late, m)
		}
		if m.changed.After(asked) {
			continue
		}
		r := records[m.name]
		if !m.owesOff {
			m.off = r.Off
		}
		if m.owesOff || m.owesUntil {
			continue // switching on ends a cooldown
		}
		if m.cools(now) && !m.lastResort && r.Cooldown.LastResort {
			continue // as in keeps
		}
		m.until, m.reason, m.lastResort = time.Time{}, r.Cooldown.Reason, r.Cooldown.LastResort
		if r.Cooldown.For > 0 {
			m.until = now.Add(r.Cooldown.For)
		}
	}
	return late
}

// catchUp tells the others what they have missed of an account.
func (p *pool) catchUp(ctx context.Context, m *member) error {
	p.mu.Lock()
	on, owesOff, owesUntil := !m.off, m.owesOff, m.owesUntil
	c := Cooldown{For: time.Until(m.until), Reason: m.reason, LastResort: m.lastResort}
	p.mu.Unlock()
	if owesOff {
		err := p.share(ctx, m, &m.owesOff, func(ctx context.Context) error {
			return p.state.Switch(ctx, p.provider, m.name, on)
		})
		if err != nil {
			return err
		}
	}
	if !owesUntil {
		return nil
	}
	return p.share(ctx, m, &m.owesUntil, func(ctx context.Context) error {
		if c.For <= 0 {
			return nil // it is over
		}
		return p.state.Cool(ctx, p.provider, m.name, c)
	})
}
