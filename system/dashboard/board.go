package dashboard

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// maxRunning bounds the requests under way that are shown. An event that ends one may be lost under load.
	maxRunning = 512
	// runningFor is how long a request is believed to be under way whose end nobody told of.
	runningFor = time.Hour
	// maxFailures is how many of the latest failures are shown, which may be older than the latest requests.
	maxFailures = 50
)

// board is what is known of requests: the latest, those under way, and the figures of a day. It is safe for
// concurrent use.
type board struct {
	maxModels, maxViewers int
	shared                shared

	mu       sync.Mutex
	seq      int64 // of the latest request
	changes  uint64
	latest   ring
	failures ring
	running  map[exchange]started
	minutes  minutes
	viewers  int
}

func newBoard(c *Config) *board {
	return &board{
		maxModels: c.MaxModels, maxViewers: c.Viewers,
		latest: ring{size: c.Requests}, failures: ring{size: maxFailures}, running: make(map[exchange]started),
	}
}

// ring holds the latest requests, at most size of them.
type ring struct {
	size  int
	items []*request
	next  int // the place of the oldest, where the ring is full
}

func (g *ring) add(r *request) {
	if len(g.items) < g.size {
		g.items = append(g.items, r)
		return
	}
	g.items[g.next] = r
	g.next = (g.next + 1) % g.size
}

// after returns the requests with greater numbers, the latest first.
func (g *ring) after(seq int64) []*request {
	out := []*request{}
	for i := range g.items {
		r := g.items[(g.next+len(g.items)-1-i)%len(g.items)]
		if r.Seq <= seq {
			break
		}
		out = append(out, r)
	}
	return out
}

// begin takes a request that has begun.
func (b *board) begin(s started) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.running) >= maxRunning {
		b.forget(time.UnixMilli(s.Time).Add(-runningFor))
	}
	if len(b.running) < maxRunning {
		b.running[s.exchange] = s
		b.changes++
	}
}

// forget drops requests under way that began before a time. The caller holds the mutex.
func (b *board) forget(before time.Time) {
	for of, s := range b.running {
		if s.Time < before.UnixMilli() {
			delete(b.running, of)
		}
	}
}

// end takes a request that has ended. Nobody changes it any more.
func (b *board) end(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	b.changes++
	r.Seq = b.seq
	delete(b.running, r.exchange)
	b.latest.add(r)
	if r.Outcome == outcomeFailed {
		b.failures.add(r)
	}
	b.minutes.count(r, b.maxModels)
}

// news are the requests since a number.
type news struct {
	Seq     int64      `json:"seq"`
	Keep    int        `json:"keep"`            // how many that have ended are shown
	Reset   bool       `json:"reset,omitempty"` // the requests are all there are
	Ended   []*request `json:"ended"`           // the latest first
	Running []started  `json:"running"`         // all, the latest first

	changes uint64
}

// since returns what has happened since a number; ok is false if nothing has, by the count of changes.
func (b *board) since(seq int64, changes uint64) (n news, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changes == changes {
		return news{}, false
	}
	b.forget(time.Now().Add(-runningFor))
	n = news{
		Seq: b.seq, Keep: b.latest.size, Ended: b.latest.after(seq), Running: make([]started, 0, len(b.running)),
		changes: b.changes,
	}
	for _, s := range b.running {
		n.Running = append(n.Running, s)
	}
	slices.SortFunc(n.Running, func(x, y started) int {
		return cmp.Or(cmp.Compare(y.Time, x.Time), cmp.Compare(x.ID, y.ID))
	})
	return n, true
}

func (b *board) changed() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

var errViewers = errors.New("too many pages are open already")

// enter admits a viewer, who leaves by calling the function.
func (b *board) enter() (leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.viewers >= b.maxViewers {
		return nil, errViewers
	}
	b.viewers++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.viewers--
	}, nil
}

func (b *board) watching() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.viewers
}
