package hooks_test

import (
	"net/url"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// TestDeliveryAllocates counts what an event costs from Emit to the return of the hook, when events come in
// batches.
func TestDeliveryAllocates(t *testing.T) { //nolint:paralleltest // counts allocations
	if n := deliveryAllocs(t, hooks.Options{}); n > 2.25 { // and a little for the workers and Flush
		t.Errorf("%.2f allocations, want the payload's copy and the call's own", n)
	}
	if n := deliveryAllocs(t, hooks.Options{ReadOnly: true}); n > 1.5 {
		t.Errorf("%.2f allocations, want the call's own and a fourth of a copy", n)
	}
}

// deliveryAllocs is what a call of one of four observers takes.
func deliveryAllocs(t *testing.T, o hooks.Options) float64 {
	t.Helper()
	const batch, observers = 50, 4
	var reg hooks.Registry
	for _, name := range []string{"a", "b", "c", "d"} {
		register(t, &reg, hooks.Observe(name, nothing, hooks.EventRequestCompleted), o)
	}
	p := &hooks.RequestCompleted{Status: 200}
	perBatch := testing.AllocsPerRun(100, func() {
		for range batch {
			reg.Emit(hooks.Context{Payload: p})
		}
		if err := reg.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return perBatch / (batch * observers)
}

func TestSnapshotAllocates(t *testing.T) { //nolint:paralleltest // counts allocations
	h := commonHeader()
	h["X-Unheard-Of"] = []string{"1", "2"}
	h["Set-Cookie"] = []string{"a=1", "b=2"}
	if n := testing.AllocsPerRun(100, func() { hooks.SnapshotHeader(h) }); n > 1 {
		t.Errorf("SnapshotHeader: %v allocations for %d fields", n, len(h))
	}
	snapshot := hooks.SnapshotHeader(h)
	if n := testing.AllocsPerRun(100, func() { snapshot.Value("User-Agent"); snapshot.Len() }); n > 0 {
		t.Errorf("Value and Len: %v allocations", n)
	}
}

func TestRedactionAllocates(t *testing.T) { //nolint:paralleltest // counts allocations
	tests := []struct {
		name, query string
		want        float64
	}{
		{"empty", "", 0},
		{"nothing to redact", "beta=true&limit=20;after_id=msg_1&flag", 0},
		{"capitals", "Beta=TRUE&Max_Results=5", 0},
		{"two to redact", "key=1&alt=sse&X_API_KEY=2", 1},
	}
	for _, tt := range tests { //nolint:paralleltest // counts allocations
		t.Run(tt.name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, func() { hooks.SafeQuery(tt.query) }); n > tt.want {
				t.Errorf("SafeQuery: %v allocations, want %v", n, tt.want)
			}
		})
	}
	u, err := url.Parse("https://api.example.com/v1/messages?beta=true")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { hooks.SafeURL(u) }); n > 1 {
		t.Errorf("SafeURL: %v allocations, want its text alone", n)
	}
}
