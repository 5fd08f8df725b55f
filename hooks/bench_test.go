package hooks_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
)

func BenchmarkEnabled(b *testing.B) {
	var none, some hooks.Registry
	register(b, &some, hooks.Observe("o", nothing, hooks.EventRequestStarted), hooks.Options{})
	b.Run("no hook", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			none.Enabled(hooks.EventProviderStreamChunk)
		}
	})
	b.Run("other event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			some.Enabled(hooks.EventProviderStreamChunk)
		}
	})
	b.Run("yes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			some.Enabled(hooks.EventRequestStarted)
		}
	})
}

// BenchmarkEmit measures the emitter's side alone: the observers are held up, so the queues are full and
// every event takes the place of an older one.
func BenchmarkEmit(b *testing.B) {
	for _, observers := range []int{1, 4} {
		b.Run(fmt.Sprint(observers), func(b *testing.B) {
			var reg hooks.Registry
			release := make(chan struct{})
			for i := range observers {
				register(b, &reg, hooks.Observe(fmt.Sprint(i), func(context.Context, *hooks.Context) error {
					<-release
					return nil
				}, hooks.EventRequestCompleted), hooks.Options{})
			}
			p := &hooks.RequestCompleted{Status: 200}
			for range 2000 {
				reg.Emit(hooks.Context{Payload: p})
			}
			b.ReportAllocs()
			for b.Loop() {
				reg.Emit(hooks.Context{Payload: p})
			}
			close(release)
			_ = reg.Close(context.Background())
		})
	}
}

// BenchmarkDeliver measures an event from Emit to the return of the hook, in bursts of 100.
func BenchmarkDeliver(b *testing.B) {
	var reg hooks.Registry
	register(b, &reg, hooks.Observe("o", nothing, hooks.EventProviderStreamChunk), hooks.Options{})
	p := &hooks.ProviderStreamChunk{Chunk: "data: {}\n\n"}
	b.ReportAllocs()
	var n int
	for b.Loop() {
		reg.Emit(hooks.Context{Payload: p})
		if n++; n%100 == 0 {
			_ = reg.Flush(b.Context())
		}
	}
	_ = reg.Flush(context.Background())
	if s := stat(b, &reg, "o"); s.Dropped > 0 {
		b.Errorf("%d dropped", s.Dropped)
	}
}

func BenchmarkPrepare(b *testing.B) {
	var reg hooks.Registry
	register(b, &reg, hooks.Mutate("m", func(_ context.Context, r *hooks.PreparedRequest) error {
		r.Header.Set("X-Mark", "1")
		return nil
	}), hooks.Options{})
	r := newRequest()
	b.ReportAllocs()
	for b.Loop() {
		if err := reg.Prepare(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAllocations(t *testing.T) { //nolint:paralleltest // counts allocations
	var reg hooks.Registry
	release := make(chan struct{})
	register(t, &reg, hooks.Observe("o", func(context.Context, *hooks.Context) error {
		<-release
		return nil
	}, hooks.EventRequestCompleted), hooks.Options{Queue: 16})
	p := &hooks.RequestCompleted{Status: 200}
	emit := func() { reg.Emit(hooks.Context{Payload: p}) }
	for range 100 {
		emit()
	}
	if n := testing.AllocsPerRun(100, emit); n > 1 {
		t.Errorf("Emit to one observer: %v allocations, want the payload's copy alone", n)
	}
	asked := func() { reg.Enabled(hooks.EventProviderStreamChunk); reg.Mutators() }
	if n := testing.AllocsPerRun(100, asked); n > 0 {
		t.Errorf("Enabled: %v allocations", n)
	}
	unwanted := func() { reg.Emit(hooks.Context{Event: hooks.EventRequestFailed, Payload: p}) }
	if n := testing.AllocsPerRun(100, unwanted); n > 0 {
		t.Errorf("Emit to nobody: %v allocations", n)
	}
	close(release)
	if err := reg.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// commonHeader is what a client's request looks like once it has passed a few hops.
func commonHeader() http.Header {
	return http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"*"},
		"Anthropic-Beta": {"a,b"}, "Anthropic-Version": {"2023-06-01"}, "Authorization": {"Bearer x"},
		"Connection": {"keep-alive"}, "Content-Length": {"5120"}, "Content-Type": {"application/json"},
		"User-Agent": {"cli/2.0"}, "Sec-Fetch-Mode": {"cors"}, "X-App": {"cli"}, "X-Forwarded-For": {"10.0.0.1"},
		"X-Forwarded-Proto": {"https"}, "X-Real-Ip": {"10.0.0.1"}, "X-Request-Id": {"r1"},
		"X-Stainless-Arch": {"x64"}, "X-Stainless-Lang": {"js"}, "X-Stainless-Os": {"Linux"},
		"X-Stainless-Package-Version": {"0.60.0"}, "X-Stainless-Retry-Count": {"0"},
		"X-Stainless-Runtime": {"node"}, "X-Stainless-Timeout": {"600"},
		"Traceparent": {"00-1-2-01"}, "X-Ratelimit-Remaining-Tokens": {"1"},
	}
}

func BenchmarkSnapshotHeader(b *testing.B) {
	h := commonHeader()
	b.ReportAllocs()
	for b.Loop() {
		hooks.SnapshotHeader(h)
	}
}

func BenchmarkSafeQuery(b *testing.B) {
	for _, q := range []string{"beta=true&limit=20&after_id=msg_1", "key=abc&alt=sse"} {
		b.Run(q, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hooks.SafeQuery(q)
			}
		})
	}
}

// BenchmarkManyObservers measures what five events of one request cost a proxy with many observers, from the
// first Emit to the return of the last hook.
func BenchmarkManyObservers(b *testing.B) {
	for _, observers := range []int{5, 50} {
		b.Run(fmt.Sprint(observers), func(b *testing.B) {
			var reg hooks.Registry
			for i := range observers {
				register(b, &reg, hooks.Observe(fmt.Sprint(i), nothing, hooks.Events()...), hooks.Options{})
			}
			events := []hooks.Payload{
				&hooks.RequestStarted{}, &hooks.ProviderRequestPrepared{}, &hooks.ProviderRequestSent{},
				&hooks.ProviderResponseReceived{}, &hooks.RequestCompleted{},
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range events {
					reg.Emit(hooks.Context{Payload: p})
				}
				_ = reg.Flush(b.Context())
			}
		})
	}
}

// BenchmarkBeside measures what an event costs that several idle hooks are told of, from Emit to the return of the last.
func BenchmarkBeside(b *testing.B) {
	var reg hooks.Registry
	for i := range 5 {
		register(b, &reg, hooks.Observe(fmt.Sprint(i), nothing, hooks.EventRequestCompleted), hooks.Options{})
	}
	p := &hooks.RequestCompleted{Status: 200}
	b.ReportAllocs()
	for b.Loop() {
		reg.Emit(hooks.Context{Payload: p})
		_ = reg.Flush(b.Context())
	}
}
