package system

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
	"github.com/ccproxy-go/ccproxy/system/otel"
	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// TestLedger sends 10,000 requests of all dialects that end in every way, and asks every plugin what they used and
// cost: all of them say what the upstream has declared, to the last digit. Time is virtual, so the first byte of each
// answer has its exact moment, too.
func TestLedger(t *testing.T) {
	t.Parallel()
	requests := 10_000
	if raceEnabled || testing.Short() {
		requests = 1_000 // the race detector makes it ten times as long
	}
	synctest.Test(t, func(t *testing.T) {
		rig := startRig(t)
		rig.askAll(requests)
		synctest.Wait()
		time.Sleep(5 * time.Second) // for what is written in batches
		synctest.Wait()
		events, dropped, failed := rig.eye.waiting(t.Context())
		if events != 0 || dropped != 0 || failed != 0 {
			t.Errorf("%d events wait, %d were dropped, hooks failed at %d", events, dropped, failed)
		}
		want := declaredBy(requests)
		rig.compare("metrics", want, rig.metrics())
		rig.compare("analytics", want, rig.analytics())
		rig.compare("dashboard", want, rig.dashboard()) // which counts requests for pages of others, too
		rig.compare("budgets", want, rig.budgets())
		rig.compare("otel", want, rig.otel())
		rig.compareRecords(requests)
		rig.stop()
		rig.compare("access_log of clients", want, logged(t, rig.clientLog.Bytes()))
		rig.compare("access_log of providers", want, logged(t, rig.providerLog.Bytes()))
	})
}

// rig is a proxy with all plugins between clients and an upstream.
type rig struct {
	t                      *testing.T
	proxy                  *ccproxy.Proxy
	eye                    *observer
	upstream, front        *memoryServer
	client                 *http.Client
	clientLog, providerLog bytes.Buffer
	meters                 *sdkmetric.ManualReader
}

func startRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, upstream: listenInMemory(newScript())}
	var own []any
	for _, m := range models() {
		if m.table != nil {
			own = append(own, m.table)
		}
	}
	log := accesslog.DefaultConfig()
	log.Writer, log.ProviderWriter, log.ProviderEnabled = &r.clientLog, &r.providerLog, true
	settings := ccproxy.Settings{
		Plugins: providerTables("http://upstream.test").with(systemTables()).with(tables{
			pricing.Name: {"models": own}, otel.Name: {"enabled": true},
		}),
		Retries: ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: 1, BaseDelay: backoff, Budget: 1}},
	}
	var err error
	r.proxy, r.eye, err = build(settings, log, true, ccproxy.WithTransport(r.upstream.transport), r.measured())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.front = listenInMemory(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if team := req.Header.Get("X-Team"); team != "" {
			req = req.WithContext(ccproxy.ContextWithCaller(req.Context(), ccproxy.Caller{ID: team}))
		}
		r.proxy.ServeHTTP(w, req)
	}))
	r.client = &http.Client{Transport: r.front.transport}
	return r
}

func (r *rig) stop() {
	if err := r.proxy.Shutdown(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Error(err)
	}
	r.front.close()
	r.upstream.close()
}

func (r *rig) askAll(requests int) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for n := range next {
				r.ask(newPlan(n))
			}
		})
	}
	for n := range requests {
		next <- n
	}
	close(next)
	wg.Wait()
}

// ask sends the client's request, and leaves in the middle of a stream where that is the plan.
func (r *rig) ask(p plan) {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost,
		"http://localhost/"+p.upstream.provider()+p.client.route(), strings.NewReader(p.body()))
	if err != nil {
		r.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", p.id())
	req.Header.Set("X-Team", p.team)
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Errorf("%s: %v", p.id(), err)
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
			r.t.Errorf("%s: %v before the first delta, after %q", p.id(), err, seen.String())
			return
		}
	}
}

// sums are what a plugin says of all requests. Not every plugin tells everything.
type sums map[string]int64

// declaredBy are the sums of what the upstream has declared.
func declaredBy(requests int) sums {
	s := sums{}
	for n := range requests {
		p := newPlan(n)
		s["requests"]++
		s[p.outcome()]++
		if p.retried() {
			s["retries"]++
		}
		s["calls"] += 1 + map[bool]int64{true: 1}[p.retried()]
		if p.stream() {
			s["streams"]++
		}
		u, ok := p.declared()
		if !ok {
			continue
		}
		s["input"] += u.input
		s["cache_read"] += u.read
		s["cache_write"] += u.write
		s["output"] += u.output
		s["tokens"] += u.all()
		s["all_input"] += u.input + u.read + u.write
		s["raw_input"] += u.input // as the upstream counts it
		if p.upstream != anthropic {
			s["raw_input"] += u.read
		}
		cost, ok := p.cost()
		if !ok {
			s["unpriced"]++
		}
		s["cost"] += cost
	}
	return s
}

// compare compares what a plugin tells with the same of what was declared.
func (r *rig) compare(who string, want, got sums) {
	r.t.Helper()
	if len(got) < 3 {
		r.t.Errorf("%s tells only %v", who, got)
	}
	of := maps.Clone(want)
	maps.DeleteFunc(of, func(key string, _ int64) bool { _, told := got[key]; return !told })
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[key]; !known {
			r.t.Errorf("%s tells of %q, of which nothing was declared", who, key)
		}
	}
	if diff := cmp.Diff(of, got); diff != "" {
		r.t.Errorf("%s (-declared +told):\n%s", who, diff)
	}
}
