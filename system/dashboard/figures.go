package dashboard

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// figures are what the page shows beside single requests.
type figures struct {
	Version string   `json:"version"`
	Now     int64    `json:"now"` // this and From in seconds since 1970
	Range   string   `json:"range"`
	Ranges  []string `json:"ranges"` // that can be asked for
	From    int64    `json:"from"`
	Step    int64    `json:"step"` // seconds between two points
	Points  int      `json:"points"`

	Totals total          `json:"totals"`
	Series []seriesTotals `json:"series"` // those with the most requests first
	Times  *times         `json:"times"`  // nil where they are not kept

	Priced   bool       `json:"priced"` // somebody knows prices
	Failures []*request `json:"failures"`
	State    state      `json:"state"`
	Problem  string     `json:"problem,omitempty"` // why figures are missing

	Caller  string `json:"caller,omitempty"` // who looks
	Session bool   `json:"session"`          // the browser is logged in, and can log out

	changes uint64 // of the board, that are in the figures
}

type total struct {
	sums

	Cost float64 `json:"cost"`
	P50  float64 `json:"p50,omitempty"` // milliseconds
	P95  float64 `json:"p95,omitempty"`
}

// seriesTotals are the figures of one model of a provider, in all and for each point.
type seriesTotals struct {
	Provider string  `json:"provider"`
	Model    string  `json:"model"`
	Totals   total   `json:"totals"`
	Points   *points `json:"points"`
}

type points struct {
	Requests []int64   `json:"requests"`
	Failed   []int64   `json:"failed"`
	Input    []int64   `json:"input"` // with what went into caches
	Cached   []int64   `json:"cached"`
	Output   []int64   `json:"output"`
	Cost     []float64 `json:"cost"`
}

// times are how long requests took that went well, in milliseconds; 0 where there were none.
type times struct {
	P50 []float64 `json:"p50"`
	P95 []float64 `json:"p95"`
}

// collector puts sums in their places.
type collector struct {
	from   time.Time
	step   time.Duration
	n      int
	all    sums
	series map[series]*collected
}

type collected struct {
	sums   sums
	points []sums
}

// newCollector makes a collector for a time that ends with the step of now.
func newCollector(s span, now time.Time) *collector {
	last := now.UTC().Truncate(s.step)
	return &collector{
		from: last.Add(s.step - s.length), step: s.step, n: int(s.length / s.step),
		series: make(map[series]*collected),
	}
}

// place is the point of a time; ok is false outside of all.
func (c *collector) place(at time.Time) (i int, ok bool) {
	d := at.Sub(c.from)
	i = int(d / c.step)
	return i, d >= 0 && i < c.n
}

func (c *collector) add(at time.Time, s series, o *sums) {
	i, ok := c.place(at)
	if !ok {
		return
	}
	got := c.series[s]
	if got == nil {
		got = &collected{points: make([]sums, c.n)}
		c.series[s] = got
	}
	c.all.add(o)
	got.sums.add(o)
	got.points[i].add(o)
}

// list returns the series, those with the most requests first; what is beyond the limit is put together as other, the
// last.
func (c *collector) list(limit int) []seriesTotals {
	byRequests := func(a, b series) int {
		return cmp.Or(
			cmp.Compare(c.series[b].sums.Requests, c.series[a].sums.Requests),
			cmp.Compare(a.provider, b.provider), cmp.Compare(a.model, b.model),
		)
	}
	names := make([]series, 0, len(c.series))
	for s := range c.series {
		names = append(names, s)
	}
	slices.SortFunc(names, byRequests)
	out := make([]seriesTotals, 0, min(len(names), limit))
	show := func(s series, got *collected) {
		out = append(out, seriesTotals{
			Provider: s.provider, Model: s.model, Points: got.shown(),
			Totals: total{sums: got.sums, Cost: dollars(got.sums.cost)},
		})
	}
	rest := collected{points: make([]sums, c.n)}
	for i, s := range names {
		if s == (series{model: other}) || i >= limit-1 && len(names) > limit {
			rest.add(c.series[s])
			continue
		}
		show(s, c.series[s])
	}
	if rest.sums.Requests > 0 {
		show(series{model: other}, &rest)
	}
	return out
}

func (c *collected) add(o *collected) {
	c.sums.add(&o.sums)
	for i := range o.points {
		c.points[i].add(&o.points[i])
	}
}

func (c *collected) shown() *points {
	p := new(points)
	for i := range c.points {
		s := &c.points[i]
		p.Requests = append(p.Requests, s.Requests)
		p.Failed = append(p.Failed, s.Failed)
		p.Input = append(p.Input, s.Input+s.CacheWrite)
		p.Cached = append(p.Cached, s.CacheRead)
		p.Output = append(p.Output, s.Output)
		p.Cost = append(p.Cost, dollars(s.cost))
	}
	return p
}

// figures returns those of a span.
func (p *plugin) figures(ctx context.Context, s span) *figures {
	now := time.Now()
	f := &figures{
		Version: ccproxy.Version, Now: now.Unix(), Range: s.name, Ranges: p.spanNames(), Priced: p.prices != nil,
		State: p.overview.state(ctx),
	}
	if s.stored {
		f.changes = p.board.changed()
		p.stored(ctx, f, s, now)
	} else {
		p.board.share(f, s, now)
	}
	p.board.mu.Lock()
	defer p.board.mu.Unlock()
	f.Failures = p.board.failures.after(0)
	return f
}

// sharedFor is how long figures are good for another viewer.
const sharedFor = 500 * time.Millisecond

// shared are the last figures of each span, which viewers share: there may be many of both.
type shared struct {
	mu      sync.Mutex
	answers map[string]sharedFigures // by the names of spans
}

type sharedFigures struct {
	*figures

	at time.Time
}

// share fills in what is in memory, or was a moment ago.
func (b *board) share(f *figures, s span, now time.Time) {
	b.shared.mu.Lock()
	defer b.shared.mu.Unlock()
	got, ok := b.shared.answers[s.name]
	if !ok || now.Sub(got.at) >= sharedFor {
		got = sharedFigures{&figures{changes: b.changed()}, now}
		b.figures(got.figures, s, now)
		if b.shared.answers == nil {
			b.shared.answers = make(map[string]sharedFigures)
		}
		b.shared.answers[s.name] = got
	}
	f.From, f.Step, f.Points, f.changes = got.From, got.Step, got.Points, got.changes
	f.Totals, f.Series, f.Times = got.Totals, got.Series, got.Times
}

// figures fills in what is in memory.
func (b *board) figures(f *figures, s span, now time.Time) {
	c := newCollector(s, now)
	spreads := make([]spread, c.n)
	b.mu.Lock()
	b.minutes.each(c.from, now, func(at time.Time, m *minute) {
		for i := range m.cells {
			c.add(at, m.cells[i].series, &m.cells[i].sums)
		}
		if i, ok := c.place(at); ok {
			spreads[i].add(&m.times)
		}
	})
	b.mu.Unlock()
	f.fill(c, b.maxModels+1)
	var all spread
	f.Times = &times{P50: make([]float64, c.n), P95: make([]float64, c.n)}
	for i := range spreads {
		f.Times.P50[i], f.Times.P95[i] = spreads[i].quantile(0.5), spreads[i].quantile(0.95)
		all.add(&spreads[i])
	}
	f.Totals.P50, f.Totals.P95 = all.quantile(0.5), all.quantile(0.95)
}

func (f *figures) fill(c *collector, limit int) {
	f.From, f.Step, f.Points = c.from.Unix(), int64(c.step.Seconds()), c.n
	f.Totals = total{sums: c.all, Cost: dollars(c.all.cost)}
	f.Series = c.list(limit)
}

const (
	// storedFor is how long an answer of the history is good for.
	storedFor      = time.Minute
	historyTimeout = 10 * time.Second
)

// archive keeps the last answers of the history. The zero value has none.
type archive struct {
	mu      sync.Mutex
	answers map[string]archived // by the names of spans
}

type archived struct {
	at    time.Time
	inner *collector
	err   error
}

// stored fills in what the history has.
func (p *plugin) stored(ctx context.Context, f *figures, s span, now time.Time) {
	c, err := p.archive.collect(ctx, p.historian, s, now)
	if err != nil {
		f.Problem = "The plugin analytics does not answer for this range."
		p.logger.WarnContext(ctx, "no history for the dashboard", "range", s.name, "error", err)
	}
	f.fill(c, p.cfg.MaxModels+1)
}

// collect asks the history, at most once in storedFor for each span.
func (a *archive) collect(ctx context.Context, h Historian, s span, now time.Time) (*collector, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if got, ok := a.answers[s.name]; ok && now.Sub(got.at) < storedFor {
		return got.inner, got.err
	}
	c := newCollector(s, now)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), historyTimeout) // others wait for the answer, too
	defer cancel()
	daily := s.step%(24*time.Hour) == 0
	err := h.History(ctx, c.from, daily, func(at time.Time, provider, model string, v map[string]int64) {
		c.add(at, series{clip(provider, maxText), clip(model, maxText)}, &sums{
			Requests: v["requests"], Failed: v["errors"], Gone: v["canceled"],
			Input: v["tokens_input"], Output: v["tokens_output"],
			CacheRead: v["cache_read_tokens"], CacheWrite: v["cache_write_tokens"],
			Unpriced: v["cost_unknown"], cost: v["cost_picodollars"],
		})
	})
	if a.answers == nil {
		a.answers = make(map[string]archived)
	}
	a.answers[s.name] = archived{at: now, inner: c, err: err}
	return c, err
}
