package analytics_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/analytics"
)

// slowUpstream is a transport: it answers as the plans say, the first half after a time that the plan tells, and the
// second after as much again.
type slowUpstream struct{}

func (p plan) wait() time.Duration { return time.Duration(1+p.n) * 37 * time.Millisecond }

func (slowUpstream) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p := newPlan(planOf(body))
	head, rest, answer := p.script()
	reader, w := io.Pipe()
	go func() {
		select {
		case <-r.Context().Done():
			_ = w.CloseWithError(context.Cause(r.Context()))
			return
		case <-time.After(p.wait()):
		}
		if !p.stream() {
			_, _ = io.WriteString(w, answer)
			_ = w.Close()
			return
		}
		_, _ = io.WriteString(w, head)
		time.Sleep(p.wait())
		_, _ = io.WriteString(w, rest)
		_ = w.Close()
	}()
	kind := "application/json"
	if p.stream() {
		kind = "text/event-stream"
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: reader, Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// TestTimes holds that the times of a record are those of the upstream, to the microsecond: whole answers and streams,
// in every dialect towards every dialect.
func TestTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "times.db")
	synctest.Test(t, func(t *testing.T) {
		tables := providerTables("https://api.example.com")
		tables[analytics.Name] = map[string]any{"enabled": true, "path": path}
		var reg ccproxy.Registry
		if err := reg.Register(analytics.Factory(), claudeapi.Factory(), openaicompat.Factory()); err != nil {
			t.Fatal(err)
		}
		proxy, err := reg.Build(ccproxy.Settings{Plugins: tables}, ccproxy.WithTransport(slowUpstream{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := proxy.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := range int(endings) * 9 {
			if p := newPlan(n); p.ending == whole || p.ending == streamed {
				r := httptest.NewRequest(http.MethodPost, p.path(), strings.NewReader(p.body()))
				proxy.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	store, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	page, err := store.Query(t.Context(), analytics.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Records) != 18 {
		t.Errorf("%d records, want 18", len(page.Records))
	}
	for _, r := range page.Records {
		p := newPlan(planOf([]byte(`{"model":"` + r.Model + `"}`)))
		duration := p.wait()
		if p.stream() {
			duration *= 2
		}
		if r.TimeToFirstByte != p.wait() || r.Duration != duration || r.Status != 200 {
			t.Errorf("%s to %s, stream %t: first byte after %v of %v with status %d, want %v of %v",
				p.client, p.upstream, p.stream(), r.TimeToFirstByte, r.Duration, r.Status, p.wait(), duration)
		}
	}
}
