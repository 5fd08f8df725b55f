package dashboard

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// ended is a request that went well.
func ended(at time.Time, model string) *request {
	return &request{
		Provider: "p", Model: model, Outcome: outcomeOK, at: at, took: time.Second, Cost: 5,
		Tokens: &tokens{Input: 10, Output: 2, CacheRead: 3, CacheWrite: 4},
	}
}

// requestsOf are those of every series in a span.
func requestsOf(b *board, s span, now time.Time) map[string]int64 {
	f := new(figures)
	b.figures(f, s, now)
	got := make(map[string]int64)
	for _, one := range f.Series {
		got[one.Provider+"/"+one.Model] += one.Totals.Requests
	}
	return got
}

func TestSpreadIsNear(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{
		0, time.Millisecond, 3 * time.Millisecond, 99 * time.Millisecond, time.Second, 7777 * time.Millisecond,
		time.Minute, 50 * time.Minute,
	} {
		var s spread
		s.count(d)
		want := max(float64(d.Milliseconds()), 1)
		if got := s.quantile(0.5); math.Abs(got-want) > want/14+0.1 {
			t.Errorf("%v is shown as %v ms", d, got)
		}
	}
	var s spread
	s.count(100 * time.Hour) // has a place, too
	s.count(-time.Hour)
	for range 98 {
		s.count(time.Second)
	}
	if p50, p95 := s.quantile(0.5), s.quantile(0.95); math.Abs(p50-1000) > 80 || p50 != p95 {
		t.Errorf("the quantiles are %v and %v, want a second", p50, p95)
	}
	if got := (&spread{}).quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

// A day later a minute's place is another one's.
func TestMinutesGoByTheDay(t *testing.T) {
	t.Parallel()
	b := newBoard(DefaultConfig())
	start := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	b.end(ended(start, "a"))
	b.end(ended(start.Add(time.Minute), "a"))
	day := spans()[2]
	if diff := cmp.Diff(map[string]int64{"p/a": 2}, requestsOf(b, day, start.Add(2*time.Minute))); diff != "" {
		t.Errorf("after a minute (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{}, requestsOf(b, spans()[0], start.Add(2*time.Hour))); diff != "" {
		t.Errorf("in the last hour, two hours later (-want +got):\n%s", diff)
	}
	next := start.Add(24 * time.Hour)
	b.end(ended(next, "b"))
	if diff := cmp.Diff(map[string]int64{"p/b": 1}, requestsOf(b, day, next)); diff != "" {
		t.Errorf("a day later (-want +got):\n%s", diff)
	}
	b.end(ended(next.Add(240*time.Hour), "b")) // by a clock that is ahead, and is put right then
	b.end(ended(next, "c"))
	if diff := cmp.Diff(map[string]int64{"p/c": 1}, requestsOf(b, day, next)); diff != "" {
		t.Errorf("after the clock was put right (-want +got):\n%s", diff)
	}
}

// However many models clients name, requests, texts and figures stay within their limits, and every request counts.
func TestBoardIsBounded(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.Requests, c.MaxModels = 100, 5
	b := newBoard(c)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const n = 3000
	for i := range n {
		model := fmt.Sprint("model-", i)
		b.begin(begun(model, time.Now()))
		r := ended(now, model)
		r.exchange.id = model
		if i%2 == 0 {
			r.Outcome = outcomeFailed // these never have figures of their own
		}
		b.end(r)
		b.begin(begun("endless-"+model, time.Now()))
	}
	got, ok := b.since(0, ^uint64(0))
	if !ok || len(got.Ended) != 100 || len(got.Running) != maxRunning || got.Ended[0].Seq != n {
		t.Errorf("%d requests and %d under way, the latest is %d", len(got.Ended), len(got.Running), got.Ended[0].Seq)
	}
	if l := len(b.failures.after(0)); l != maxFailures {
		t.Errorf("%d failures", l)
	}
	f := new(figures)
	b.figures(f, spans()[0], now)
	if len(f.Series) != 6 || f.Series[5].Model != other || f.Totals.Requests != n || f.Series[5].Totals.Requests != n-5 {
		t.Errorf("%d series, of %d requests", len(f.Series), f.Totals.Requests)
	}
	want := sums{Requests: n, Failed: n / 2, Input: 10 * n, Output: 2 * n, CacheRead: 3 * n, CacheWrite: 4 * n, cost: 5 * n}
	if diff := cmp.Diff(want, f.Totals.sums, cmp.AllowUnexported(sums{})); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if len(b.minutes.names) != 5 {
		t.Errorf("%d models have names", len(b.minutes.names))
	}
}

// What came between two looks is told once, the latest first.
func TestBoardTellsNews(t *testing.T) {
	t.Parallel()
	b := newBoard(DefaultConfig())
	b.begin(begun("1", time.Now()))
	first, ok := b.since(0, 0)
	if !ok || len(first.Running) != 1 || len(first.Ended) != 0 {
		t.Fatalf("the first look: %+v", first)
	}
	if n, ok := b.since(first.Seq, first.changes); ok {
		t.Errorf("there is news of nothing: %+v", n)
	}
	for _, id := range []string{"1", "2", "3"} {
		r := ended(time.Now(), "m")
		r.ID, r.exchange.id = id, id
		b.end(r)
	}
	second, _ := b.since(first.Seq, first.changes)
	var ids []string
	for _, r := range second.Ended {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"3", "2", "1"}, ids); diff != "" || len(second.Running) != 0 {
		t.Errorf("%d under way, ended (-want +got):\n%s", len(second.Running), diff)
	}
}

// A request whose end nobody told of is not under way for ever.
func TestBoardForgetsRunning(t *testing.T) {
	t.Parallel()
	b := newBoard(DefaultConfig())
	b.begin(begun("old", time.Now().Add(-2*runningFor)))
	b.begin(begun("new", time.Now()))
	n, _ := b.since(0, 0)
	if len(n.Running) != 1 || n.Running[0].ID != "new" {
		t.Errorf("under way: %+v", n.Running)
	}
}

func begun(id string, at time.Time) started {
	return started{ID: id, Time: at.UnixMilli(), exchange: exchange{id: id}}
}

// Two clients may choose one id for what they ask at the same time.
func TestBoardTellsRequestsOfOneIDApart(t *testing.T) {
	t.Parallel()
	p := &plugin{cfg: DefaultConfig(), board: newBoard(DefaultConfig())}
	tell := func(number uint64, payload hooks.Payload) {
		hc := &hooks.Context{Exchange: number, Event: payload.Event(), Time: time.Now(), Payload: payload}
		if err := p.observe(t.Context(), hc); err != nil {
			t.Fatal(err)
		}
	}
	for number := range uint64(2) {
		tell(number, &hooks.RequestStarted{Request: hooks.Request{ID: "the same", Path: "/v1/messages"}})
	}
	if n, _ := p.board.since(0, 0); len(n.Running) != 2 || n.Keep != p.cfg.Requests {
		t.Errorf("%d requests are under way, want 2", len(n.Running))
	}
	tell(1, &hooks.RequestCompleted{Request: hooks.Request{ID: "the same", Path: "/v1/messages"}})
	if n, _ := p.board.since(0, 0); len(n.Running) != 1 || len(n.Ended) != 1 {
		t.Errorf("%d requests are under way and %d have ended, want one each", len(n.Running), len(n.Ended))
	}
}

// A cost that is no number, as a provider's plugin may tell it, must not take the page down.
func TestCostThatIsNone(t *testing.T) {
	t.Parallel()
	p := &plugin{cfg: DefaultConfig()}
	for told, want := range map[float64]float64{0.5: 0.5, -1: 0, math.NaN(): 0, math.Inf(1): maxCost} {
		r, _ := p.newRequest(&hooks.Context{Payload: &hooks.RequestCompleted{Usage: &hooks.Usage{CostUSD: told}}})
		if _, err := json.Marshal(r); err != nil || r.CostUSD != want || r.Cost != int64(want*1e12) {
			t.Errorf("%v: %v and %d, %v", told, r.CostUSD, r.Cost, err)
		}
	}
}

// Sums of absurd costs stay the largest there is, and never turn into debts.
func TestAbsurdCosts(t *testing.T) {
	t.Parallel()
	b := newBoard(DefaultConfig())
	now := time.Now()
	for range 3 {
		r := ended(now, "m")
		r.Cost = math.MaxInt64 / 2 * 2
		b.end(r)
	}
	f := new(figures)
	b.figures(f, spans()[0], now)
	if want := dollars(math.MaxInt64); f.Totals.Cost != want || f.Series[0].Totals.Cost != want {
		t.Errorf("%v in all and %v of the model, want %v", f.Totals.Cost, f.Series[0].Totals.Cost, want)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"abc": "abc", "abcdef": "abcd…", "abcä": "abc…", "\xffa": "\ufffda"} {
		if got := clip(in, 4); got != want {
			t.Errorf("clip(%q) = %q, want %q", in, got, want)
		}
	}
}
