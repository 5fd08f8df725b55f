package analytics_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// fact is what the ledger compares.
type fact struct {
	Status       int
	Outcome      analytics.Outcome
	Model        string
	Provider     string
	Format       string
	Streamed     bool
	Tokens       *analytics.Tokens
	Partial      bool
	CacheInInput bool
	Cost         *analytics.Amount
}

func (p plan) fact() fact {
	providers := map[string]string{"anthropic": "claude", "chat": "compat", "responses": "modern"}
	formats := map[string]string{
		"anthropic": "anthropic.messages", "chat": "openai.chat_completions", "responses": "openai.responses",
	}
	f := fact{
		Status: 200, Outcome: analytics.OutcomeSuccess, Model: p.model(), Provider: providers[p.upstream],
		Format: formats[p.client], Streamed: p.stream(), Cost: p.cost(),
	}
	f.Tokens, f.Partial = p.tokens()
	f.CacheInInput = f.Tokens != nil && p.upstream != "anthropic"
	switch p.ending {
	case refused:
		f.Status, f.Outcome = 400, analytics.OutcomeError
	case cut:
		f.Outcome = analytics.OutcomeError
	case canceled:
		f.Status, f.Outcome = 499, analytics.OutcomeCanceled
	}
	return f
}

func factOf(r *analytics.Record) fact {
	return fact{
		Status: r.Status, Outcome: r.Outcome, Model: r.Model, Provider: r.Provider, Format: r.ClientFormat,
		Streamed: r.Streamed, Tokens: r.Tokens, Partial: r.TokensPartial, CacheInInput: r.CacheInInput, Cost: r.Cost,
	}
}

// TestLedger sends thousands of requests of all dialects to upstreams of all dialects, lets them end in every way,
// and holds that the records say of each what the upstream declared.
func TestLedger(t *testing.T) {
	t.Parallel()
	requests := 10_000
	switch {
	case testing.Short():
		requests = 540 // each combination ten times
	case raceEnabled:
		requests = 2160 // the race detector takes ten times as long
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	tables := map[string]map[string]any{analytics.Name: {"enabled": true, "path": path}}
	proxy := startLedger(t, tables)
	client := httptest.NewServer(proxy)
	defer client.Close()
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for n := range next {
				newPlan(n).ask(t, client)
			}
		})
	}
	for n := range requests {
		next <- n
	}
	close(next)
	wg.Wait()
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	store, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	compareLedger(t, store, requests)
}

// compareLedger compares what is in a store with the plans, one by one and in sum.
func compareLedger(t *testing.T, store analytics.Store, requests int) {
	t.Helper()
	page, err := store.Query(t.Context(), analytics.Query{Limit: 2 * requests})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]fact, requests)
	var late int
	for i := range page.Records {
		r := &page.Records[i]
		if _, again := got[r.RequestID]; again {
			t.Errorf("request %s has two records", r.RequestID)
		}
		got[r.RequestID] = factOf(r)
		if r.ResponseBytes > 0 && (r.TimeToFirstByte <= 0 || r.TimeToFirstByte > r.Duration) {
			late++
		}
	}
	if late > 0 {
		t.Errorf("%d records have a first byte before the request or after its end", late)
	}
	want := make(map[string]fact, requests)
	var cost analytics.Amount
	var tokens analytics.Tokens
	var unknown int64
	for n := range requests {
		p := newPlan(n)
		want[p.id()] = p.fact()
		if c := p.cost(); c != nil {
			cost = cost.Plus(*c)
		}
		if u, _ := p.tokens(); u != nil {
			tokens.Input, tokens.Output = tokens.Input+u.Input, tokens.Output+u.Output
			tokens.CacheRead, tokens.CacheWrite = tokens.CacheRead+u.CacheRead, tokens.CacheWrite+u.CacheWrite
			tokens.Reasoning += u.Reasoning
		} else {
			unknown++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-declared +recorded):\n%.4000s", diff)
	}
	sums, err := store.Aggregate(t.Context(), analytics.Aggregation{})
	if err != nil {
		t.Fatal(err)
	}
	total := sums[0].Totals
	if diff := cmp.Diff(tokens, total.Tokens); diff != "" {
		t.Errorf("sum of tokens (-declared +recorded):\n%s", diff)
	}
	if total.Cost != cost || total.Requests != int64(requests) || total.TokensUnknown != unknown {
		t.Errorf("sums are %v for %d requests, %d without tokens; want %v, %d, %d",
			total.Cost, total.Requests, total.TokensUnknown, cost, requests, unknown)
	}
}

// startLedger starts a proxy with all three dialects upstream.
func startLedger(t *testing.T, tables map[string]map[string]any) *ccproxy.Proxy {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(serveUpstream))
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		up.Close()
	})
	maps.Copy(tables, providerTables(up.URL))
	var reg ccproxy.Registry
	err := reg.Register(analytics.Factory(), claudeapi.Factory(), openaicompat.Factory(), priceFactory())
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: tables}, ccproxy.WithTransport(transport), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Shutdown(context.Background()) })
	return proxy
}

// ask sends the client's request, and leaves in the middle of a stream where that is the plan.
func (p plan) ask(t *testing.T, server *httptest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+p.path(), strings.NewReader(p.body()))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", p.id())
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Errorf("%s: %v", p.id(), err)
		return
	}
	defer resp.Body.Close()
	if p.ending != canceled {
		_, _ = io.Copy(io.Discard, resp.Body) // a stream that was cut ends with an error event, or without an end
		return
	}
	var seen strings.Builder
	buf := make([]byte, 512)
	for !strings.Contains(seen.String(), "Hello") {
		n, err := resp.Body.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			t.Errorf("%s: %v before the first delta, after %q", p.id(), err, seen.String())
			return
		}
	}
}
