package pricing_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// source is where lists are fetched from.
type source struct {
	mu       sync.Mutex
	reply    func(*http.Request) *http.Response // nil: the source is away
	requests []string                           // If-None-Match of each
}

func (s *source) answers(reply func(*http.Request) *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = reply
}

// asked returns how often the source was asked, and with which ETag at last.
func (s *source) asked() (n int, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = len(s.requests); n > 0 {
		last = s.requests[n-1]
	}
	return n, last
}

var errAway = errors.New("away")

func (s *source) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Header.Get("If-None-Match"))
	if s.reply == nil {
		return nil, errAway
	}
	return s.reply(r), nil
}

func answer(r *http.Request, status int, body, etag string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Etag": {etag}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// lookup is a plugin that uses the service, through an interface of its own.
type lookup struct {
	prices interface {
		Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
	}
}

func (l *lookup) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	l.prices, err = ccproxy.ServiceOf[interface {
		Cost(u *hooks.Usage, models ...string) (picodollars int64, err error)
	}](pc, pricing.Name)
	return err
}

func (*lookup) Shutdown(context.Context) error { return nil }

// cost is what a million tokens of input cost.
func (l *lookup) cost(t *testing.T, model string) string {
	t.Helper()
	n, err := l.prices.Cost(&hooks.Usage{InputTokens: 1_000_000}, model)
	if errors.Is(err, pricing.ErrUnknownModel) {
		return "unknown"
	}
	if err != nil {
		t.Error(err)
	}
	return pricing.Amount(n).String()
}

func start(t *testing.T, keys map[string]any, rt http.RoundTripper, more ...ccproxy.Factory) *ccproxy.Proxy {
	t.Helper()
	return startLogged(t, keys, rt, slog.New(slog.DiscardHandler), more...)
}

func startLogged(
	t *testing.T, keys map[string]any, rt http.RoundTripper, log *slog.Logger, more ...ccproxy.Factory,
) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(more, pricing.Factory())...); err != nil {
		t.Fatal(err)
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{pricing.Name: keys}}
	opts := []ccproxy.Option{ccproxy.WithStrictStart(), ccproxy.WithLogger(log)}
	if rt != nil {
		opts = append(opts, ccproxy.WithTransport(rt))
	}
	proxy, err := reg.Build(s, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}

func stop(t *testing.T, proxy *ccproxy.Proxy) {
	t.Helper()
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func (l *lookup) factory() ccproxy.Factory {
	m := ccproxy.Manifest{Name: "a_lookup", Requires: []string{pricing.Name}}
	return ccproxy.NewFactory(m, func() ccproxy.Plugin { return l })
}

// TestRefresh goes through the days of a source.
func TestRefresh(t *testing.T) {
	t.Parallel()
	const (
		shared = `{"sample_spec":{"input_cost_per_token":"x"},"gpt-4o":{"input_cost_per_token":9e-06,"output_cost_per_token":1e-05},` +
			`"new-1":{"input_cost_per_token":2.5e-07,"output_cost_per_token":1e-06,"max_output_tokens":"many"},` +
			`"picture":{"input_cost_per_image":1},"odd":{"input_cost_per_token":-1,"output_cost_per_token":1}}`
		own = `{"date":"2027-01-01","source":"us","models":[{"model":"new-2","rates":{"input":"4","output":"5"}}]}`
	)
	days := []struct {
		name  string
		reply func(*http.Request) *http.Response
		want  []string // gpt-4o, new-1, new-2, claude-haiku-4-5
		etag  string   // that the source is asked with
	}{
		{"away at the start", nil, []string{"2.5", "unknown", "unknown", "1"}, ""},
		{
			"first list", func(r *http.Request) *http.Response { return answer(r, 200, shared, `"1"`) },
			[]string{"9", "0.25", "unknown", "1"},
			"",
		},
		{
			"unchanged", func(r *http.Request) *http.Response { return answer(r, 304, "", "") },
			[]string{"9", "0.25", "unknown", "1"},
			`"1"`,
		},
		{
			"broken", func(r *http.Request) *http.Response { return answer(r, 200, shared[:90], `"2"`) },
			[]string{"9", "0.25", "unknown", "1"},
			`"1"`,
		},
		{
			"empty", func(r *http.Request) *http.Response { return answer(r, 200, `{}`, `"2"`) },
			[]string{"9", "0.25", "unknown", "1"},
			`"1"`,
		},
		{
			"too large", func(r *http.Request) *http.Response { return answer(r, 200, strings.Repeat(" ", 17<<20), `"2"`) },
			[]string{"9", "0.25", "unknown", "1"},
			`"1"`,
		},
		{
			"error", func(r *http.Request) *http.Response { return answer(r, 500, shared, "") },
			[]string{"9", "0.25", "unknown", "1"},
			`"1"`,
		},
		{
			"other form", func(r *http.Request) *http.Response { return answer(r, 200, own, "") },
			[]string{"2.5", "unknown", "4", "1"},
			`"1"`,
		},
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		src, l := new(source), new(lookup)
		proxy := startLogged(t, map[string]any{"source_url": "https://prices.test/list?key=hidden-in-here"}, src,
			slog.New(slog.NewTextHandler(&log, nil)), l.factory())
		synctest.Wait()
		for i, day := range days {
			if i > 0 {
				src.answers(day.reply)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
			}
			var got []string
			for _, model := range []string{"gpt-4o", "new-1", "new-2", "claude-haiku-4-5"} {
				got = append(got, l.cost(t, model))
			}
			if diff := cmp.Diff(day.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", day.name, diff)
			}
			if _, last := src.asked(); last != day.etag {
				t.Errorf("%s: asked with ETag %q, want %q", day.name, last, day.etag)
			}
		}
		stop(t, proxy)
		if strings.Contains(log.String(), "hidden-in-here") {
			t.Errorf("the log holds the address:\n%s", log.String())
		}
	})
}

// TestAtMostDaily counts what the source is asked in ten days.
func TestAtMostDaily(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &source{reply: func(r *http.Request) *http.Response {
			return answer(r, 200, `{"m":{"input_cost_per_token":1e-6,"output_cost_per_token":1e-6}}`, "")
		}}
		proxy := start(t, map[string]any{"source_url": "https://prices.test/"}, src)
		time.Sleep(10*24*time.Hour - time.Minute)
		stop(t, proxy)
		if n, _ := src.asked(); n != 10 {
			t.Errorf("%d requests in ten days", n)
		}
	})
}

// TestCacheFile starts again and again.
func TestCacheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "prices.json")
	src := &source{reply: func(r *http.Request) *http.Response {
		return answer(r, 200, `{"m":{"input_cost_per_token":1e-6,"output_cost_per_token":1e-6}}`, `"1"`)
	}}
	keys := map[string]any{"source_url": "https://prices.test/", "cache_file": path}
	run := func(keys map[string]any, after time.Duration, want string, requests int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(after)
			l := new(lookup)
			before, _ := src.asked()
			proxy := start(t, keys, src, l.factory())
			synctest.Wait()
			n, _ := src.asked()
			if got := l.cost(t, "m"); got != want || n-before != requests {
				t.Errorf("after %v: %s with %d requests, want %s with %d", after, got, n-before, want, requests)
			}
			stop(t, proxy)
		})
	}
	run(keys, 0, "1", 1)
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("cache file: %v, %v", info.Mode(), err)
	}
	src.answers(nil)
	run(keys, time.Hour, "1", 0)
	run(keys, 25*time.Hour, "1", 1) // too old, but there is nothing newer
	if _, got := src.asked(); got != `"1"` {
		t.Errorf("asked with ETag %q", got)
	}
	run(map[string]any{"source_url": "https://other.test/", "cache_file": path}, time.Hour, "unknown", 1)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(keys, time.Hour, "unknown", 1)
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestOwnPricesOfDatedModels holds that a list that names models with their dates takes nobody's own prices away.
func TestOwnPricesOfDatedModels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src, l := new(source), new(lookup)
		src.answers(func(r *http.Request) *http.Response {
			return answer(r, http.StatusOK, `{
				"claude-sonnet-4-5":{"input_cost_per_token":3e-6,"output_cost_per_token":15e-6},
				"claude-sonnet-4-5-20250929":{"input_cost_per_token":3e-6,"output_cost_per_token":15e-6},
				"gpt-x":{"input_cost_per_token":2e-6,"output_cost_per_token":8e-6},
				"gpt-x-2024-05-13":{"input_cost_per_token":5e-6,"output_cost_per_token":15e-6},
				"house-20260101":{"input_cost_per_token":9e-6,"output_cost_per_token":9e-6}}`, `"1"`)
		})
		own := func(name string, aliases ...any) map[string]any {
			return map[string]any{"model": name, "input": "1", "output": "5", "aliases": aliases}
		}
		proxy := start(t, map[string]any{
			"source_url": "https://list.test/x.json",
			"models":     []any{own("Claude-Sonnet-4-5"), own("gpt-x", "house")},
		}, src, l.factory())
		defer stop(t, proxy)
		time.Sleep(time.Minute)
		for model, want := range map[string]string{
			"claude-sonnet-4-5": "1", "claude-sonnet-4-5-20250929": "1", "anthropic/claude-sonnet-4-5-20250929": "1",
			"us.anthropic.claude-sonnet-4-5-20250929-v1:0": "1", "house-20260101": "1",
			"gpt-x": "1", "gpt-x-2024-05-13": "5", "gpt-x-2026-01-01": "1",
		} {
			if got := l.cost(t, model); got != want {
				t.Errorf("%s costs %s, want %s", model, got, want)
			}
		}
	})
}
