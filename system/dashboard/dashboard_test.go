package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	oauthclaude "github.com/ccproxy-go/ccproxy/oauth/claude"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
)

func TestConformance(t *testing.T) { //nolint:paralleltest // the suite counts goroutines
	plugintest.TestFactory(t, dashboard.Factory())
}

// Every request of every dialect counts once, whole and streamed, and is listed.
func TestFiguresOfThreeDialects(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	for path := range dialects() {
		for _, streamed := range []bool{false, true} {
			r.ask(path, "claude-x", streamed)
			r.ask(path, "claude-free", streamed)
		}
		r.ask(path, "claude-bad", false)
	}
	f := r.data("", func(f *figures) bool { return f.Totals.Requests == 15 && len(f.Requests.Running) == 0 })
	got := make(map[string]totals)
	for _, s := range f.Series {
		got[s.Provider+"/"+s.Model] = s.Totals
	}
	want := map[string]totals{
		"claude/claude-x":    {Requests: 6, Input: 60, Output: 30, CacheRead: 18, CacheWrite: 12, Cost: 0.3},
		"claude/claude-free": {Requests: 6, Input: 60, Output: 30, CacheRead: 18, CacheWrite: 12, Unpriced: 6},
		"/other":             {Requests: 3, Failed: 3}, // nobody has seen the model answer
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	var formats []string
	for _, one := range f.Requests.Ended {
		formats = append(formats, fmt.Sprintf("%s %s %t", one.Format, one.Outcome, one.Streamed))
	}
	slices.Sort(formats)
	formats = slices.Compact(formats)
	if len(formats) != 9 {
		t.Errorf("the requests are of %q, want three outcomes in each of three dialects", formats)
	}
	if len(f.Failures) != 3 || f.Failures[0].ErrorType != "invalid_request_error" || f.Failures[0].Status != 400 {
		t.Errorf("failures: %+v", f.Failures)
	}
}

// The page shows how credentials are, those of logins and those that a balancer chooses from.
func TestCredentials(t *testing.T) {
	t.Parallel()
	f := newRig(t, setup{
		more: []ccproxy.Factory{oauthclaude.Factory(), balancer.Factory()},
		tables: map[string]map[string]any{
			"oauth_claude": {"enabled": true},
			"balancer":     {"enabled": true},
			"claude_api": {"accounts": []any{
				map[string]any{"name": "team", "api_key": "sk-team-0123456789"},
				map[string]any{"name": "me", "oauth": "claude-api"},
			}},
		},
	}).data("", nil)
	if a := f.State.Accounts; len(a) != 1 || a[0].ID != "claude-api" || a[0].State != "no_credentials" ||
		a[0].Health != "warn" {
		t.Errorf("accounts: %+v", a)
	}
	if p := f.State.Pools; len(p) != 1 || p[0].Provider != "claude" || len(p[0].Accounts) != 2 ||
		p[0].Accounts[0].Name != "team" || p[0].Accounts[0].State != "available" {
		t.Errorf("pools: %+v", p)
	}
}

// The page shows how plugins and breakers are.
func TestState(t *testing.T) {
	t.Parallel()
	ill := ccproxy.NewFactory(ccproxy.Manifest{Name: "ill"}, func() ccproxy.Plugin { return illPlugin{} })
	off := ccproxy.NewFactory(ccproxy.Manifest{Name: "off", DefaultOff: true}, nil)
	f := newRig(t, setup{
		more:     []ccproxy.Factory{ill, off},
		breakers: ccproxy.Breakers{BreakerPolicy: ccproxy.BreakerPolicy{Failures: 3}},
	}).data("", nil)
	got := make(map[string]string)
	for _, p := range f.State.Plugins {
		got[p.Name] = p.State + " " + p.Health + " " + p.Output
	}
	want := map[string]string{
		"dashboard": "active pass ", "claude_api": "active pass ", "feed": "active pass ",
		"ill": "active fail the disk is full", "off": got["off"],
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got["off"], "disabled  ") {
		t.Errorf("plugins (-want +got):\n%s", diff)
	}
	if b := f.State.Breakers; len(b) != 1 || b[0].Provider != "claude" || b[0].State != "closed" {
		t.Errorf("breakers: %+v", b)
	}
}

type illPlugin struct{}

func (illPlugin) Initialize(context.Context, *ccproxy.PluginContext) error { return nil }
func (illPlugin) Shutdown(context.Context) error                           { return nil }
func (illPlugin) HealthCheck(context.Context) ccproxy.Health {
	return ccproxy.Health{Status: ccproxy.HealthFail, Output: "the disk is full"}
}

// What is left out is not seen, and not the dashboard's own requests either.
func TestExcludedPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{table: map[string]any{"exclude_paths": []any{"/dashboard", "/claude/v1/chat/"}}})
	r.ask("/claude/v1/chat/completions", "claude-x", false)
	r.ask("/claude/v1/messages", "claude-x", false)
	r.data("", nil)
	f := r.data("", func(f *figures) bool { return f.Totals.Requests > 0 })
	if len(f.Requests.Ended) != 1 || f.Requests.Ended[0].Endpoint != "/claude/v1/messages" {
		t.Errorf("requests: %+v", f.Requests.Ended)
	}
}

// A page hears of requests as they begin and end, once each, and of the figures.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	r.ask("/claude/v1/messages", "claude-before", false)
	r.data("", func(f *figures) bool { return f.Totals.Requests == 1 })
	s := r.events("?range=6h")
	var f figures
	if err := s.next("figures", &f); err != nil || f.Range != "6h" || f.Totals.Requests != 1 || f.Points != 72 {
		t.Fatalf("first figures: %+v, %v", f, err)
	}
	var n news
	if err := s.next("requests", &n); err != nil || !n.Reset || len(n.Ended) != 1 {
		t.Fatalf("first requests: %+v, %v", n, err)
	}
	r.feed.emit(&hooks.RequestStarted{Request: hooks.Request{ID: "slow", Path: "/v1/messages"}})
	n = news{}
	if err := s.next("requests", &n); err != nil || len(n.Running) != 1 || n.Running[0].ID != "slow" {
		t.Fatalf("when one has begun: %+v, %v", n, err)
	}
	r.feed.emit(&hooks.RequestFailed{Request: hooks.Request{ID: "slow", Path: "/v1/messages"}, ClientGone: true})
	n = news{}
	if err := s.next("requests", &n); err != nil || len(n.Running) != 0 || len(n.Ended) != 1 ||
		n.Ended[0].Outcome != "gone" || n.Reset {
		t.Fatalf("when it has ended: %+v, %v", n, err)
	}
	if err := s.next("figures", &f); err != nil || f.Totals.Gone != 1 || f.Totals.Failed != 0 {
		t.Errorf("figures after that: %+v, %v", f.Totals, err)
	}
}

// There are so many pages and no more; one that is closed makes room.
func TestViewersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{table: map[string]any{"viewers": 2}})
	first, second := r.events(""), r.events("")
	for _, s := range []*stream{first, second} {
		if err := s.next("figures", new(figures)); err != nil {
			t.Fatal(err)
		}
	}
	if res := r.do(http.MethodGet, "/dashboard/events", ""); res.StatusCode != http.StatusServiceUnavailable ||
		res.Header.Get("Retry-After") == "" {
		t.Errorf("a third page: %d", res.StatusCode)
	}
	_ = first.body.Close()
	for deadline := time.Now().Add(20 * time.Second); r.status(http.MethodGet, "/dashboard/events") != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("there is no room after a page was closed")
		}
	}
}

// A drain does not wait for pages.
func TestEventsEndWithTheProxy(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	s := r.events("")
	if err := s.next("figures", new(figures)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.proxy.Drain(ctx); err != nil {
		t.Errorf("drain: %v", err)
	}
}

// historian is the service analytics.
type historian struct {
	err   error
	asked chan bool
}

func (h *historian) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "keeper", Provides: []string{"analytics"}},
		func() ccproxy.Plugin { return h })
}

func (h *historian) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	return pc.Provide("analytics", h)
}

func (*historian) Shutdown(context.Context) error { return nil }

func (h *historian) History(
	_ context.Context, from time.Time, daily bool, add func(time.Time, string, string, map[string]int64),
) error {
	h.asked <- daily
	for day := range 3 {
		add(from.Add(time.Duration(day)*24*time.Hour), "p", "m", map[string]int64{
			"requests": 10, "errors": 1, "tokens_input": 100, "tokens_output": 50, "cost_picodollars": 2e12,
		})
	}
	add(from.Add(-time.Hour), "p", "m", map[string]int64{"requests": 1000})
	return h.err
}

// With a history there are longer times; it is asked once in a while, however often the page is.
func TestHistory(t *testing.T) {
	t.Parallel()
	h := &historian{asked: make(chan bool, 10)}
	r := newRig(t, setup{more: []ccproxy.Factory{h.factory()}})
	for range 3 {
		f := r.data("?range=30d", nil)
		if f.Totals != (totals{Requests: 30, Failed: 3, Input: 300, Output: 150, Cost: 6}) || f.Points != 30 {
			t.Errorf("totals: %+v of %d days", f.Totals, f.Points)
		}
		if got := f.Series[0].Points.Cost[:4]; !slices.Equal(got, []float64{2, 2, 2, 0}) {
			t.Errorf("costs by day: %v", got)
		}
	}
	r.data("?range=7d", nil)
	if daily, hourly := <-h.asked, !<-h.asked; !daily || !hourly || len(h.asked) != 0 {
		t.Errorf("asked for days %t, for hours %t, and %d times more", daily, hourly, len(h.asked))
	}
}

func TestHistoryThatFails(t *testing.T) {
	t.Parallel()
	h := &historian{asked: make(chan bool, 10), err: errors.New("secret-address refused")}
	r := newRig(t, setup{more: []ccproxy.Factory{h.factory()}})
	f := r.data("?range=7d", nil)
	if f.Problem == "" || strings.Contains(f.Problem, "secret-address") {
		t.Errorf("the page says %q", f.Problem)
	}
}

func TestRangesThatAreNot(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	for _, query := range []string{"?range=7d", "?range=1y", "?range=%00"} {
		if got := r.status(http.MethodGet, "/dashboard/data"+query); got != http.StatusBadRequest {
			t.Errorf("%s: %d", query, got)
		}
	}
	if f := r.data("", nil); !slices.Equal(f.Ranges, []string{"1h", "6h", "24h"}) {
		t.Errorf("ranges: %q", f.Ranges)
	}
}
