package ccproxy

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// How the catalog keeps what providers list. A provider is asked when somebody needs to know, on a goroutine of its
// plugin, and requests wait for it only as long as nothing is known at all.
const (
	catalogFresh = time.Minute      // how long a list counts as new
	catalogRetry = 30 * time.Second // how long a provider that could not list is left alone
	catalogFetch = 30 * time.Second // how long a provider may take to list
	catalogWait  = 5 * time.Second  // how long a request waits for lists that have never been there
	catalogLimit = 10_000           // models of one provider that are kept
)

// catalog knows the models of all providers that a proxy serves.
type catalog struct {
	providers []*listing // by name
	sole      *listing   // if there is only one
	wait      time.Duration
}

// listing is what one provider lists.
type listing struct {
	name     string
	provider Provider
	cards    []Model
	owner    *record
	mapped   modelMap // rules of the settings
	own      modelMap // rules of the provider

	mu      sync.Mutex
	models  []Model        // replaced, never changed
	index   map[string]int // of models, by id
	known   bool           // it has been asked, whatever came of it
	late    bool           // a request has waited for it in vain
	until   time.Time      // when it is asked again
	pending chan struct{}  // closed when the attempt that runs has ended; nil while none runs
}

func (p *Proxy) newCatalog() *catalog {
	c := &catalog{wait: catalogWait}
	for _, r := range p.records {
		if !r.is(stateActive) {
			continue
		}
		for _, mp := range r.providers {
			l := &listing{name: mp.name, provider: mp.provider, cards: p.cards[mp.name], owner: r}
			if _, set := p.settings.ModelMappings[mp.name]; set {
				l.mapped = p.models[mp.name]
			} else {
				l.own = p.models[mp.name]
			}
			c.providers = append(c.providers, l)
		}
	}
	slices.SortFunc(c.providers, func(a, b *listing) int { return strings.Compare(a.name, b.name) })
	if len(c.providers) == 1 {
		c.sole = c.providers[0]
	}
	return c
}

// load sees to it that the lists are there, as far as they are to be had within the time that a request may wait.
func (c *catalog) load(ctx context.Context) error {
	var awaited []*listing
	for _, l := range c.providers {
		if l.refresh() {
			awaited = append(awaited, l)
		}
	}
	if len(awaited) == 0 {
		return nil
	}
	timer := time.NewTimer(c.wait)
	defer timer.Stop()
	for i, l := range awaited {
		select {
		case <-l.attempt():
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			for _, late := range awaited[i:] {
				late.giveUp()
			}
			return nil
		}
	}
	return nil
}

// refresh asks the provider if its list is old, without waiting. It reports whether a request should wait.
func (l *listing) refresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil && !time.Now().Before(l.until) {
		l.pending = make(chan struct{})
		l.owner.spawn("models of "+l.name, l.fetch)
	}
	return !l.known && !l.late
}

// attempt returns what is closed when the attempt that runs has ended.
func (l *listing) attempt() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		return closedChannel()
	}
	return l.pending
}

func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// giveUp notes that nobody should wait for the first list any more.
func (l *listing) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known || l.late {
		return
	}
	l.late = true
	l.owner.logger.Warn("models of the provider are not there in time, and are left out until they are",
		slog.String("provider", l.name))
}

var errNoList = errors.New("the provider's code ended before it returned")

// fetch asks the provider.
func (l *listing) fetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, catalogFetch)
	defer cancel()
	var models []Model
	err := errNoList // of a provider that panics
	defer func() { l.settle(ctx, models, err) }()
	models, err = l.provider.Models(ctx)
}

// settle keeps what an attempt has brought: a failed one leaves the older list, or the cards.
func (l *listing) settle(ctx context.Context, models []Model, err error) {
	if err != nil && !errors.Is(context.Cause(ctx), context.Canceled) { // which is the plugin's end
		l.owner.logger.WarnContext(ctx, "models of the provider are not to be had",
			slog.String("provider", l.name), slog.Any("error", err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.pending)
	l.pending = nil
	l.until = time.Now().Add(catalogFresh)
	switch {
	case err == nil:
		l.keep(withCards(models, l.cards))
	case l.models == nil:
		l.keep(l.cards)
		fallthrough
	default:
		l.until = time.Now().Add(catalogRetry)
	}
	l.known = true
}

// keep replaces the list, with the lock held.
func (l *listing) keep(models []Model) {
	models = models[:min(len(models), catalogLimit)]
	index := make(map[string]int, len(models))
	kept := make([]Model, 0, len(models))
	for _, m := range models {
		if _, twice := index[m.ID]; twice || m.ID == "" {
			continue
		}
		index[m.ID] = len(kept)
		kept = append(kept, m)
	}
	l.models, l.index = kept, index
}

// list returns the models that are known, which must not be changed.
func (l *listing) list() []Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return l.cards
	}
	return l.models
}

// model returns one of them.
func (l *listing) model(id string) (Model, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return modelIn(l.cards, id)
	}
	i, ok := l.index[id]
	if !ok {
		return Model{}, false
	}
	return l.models[i], true
}
