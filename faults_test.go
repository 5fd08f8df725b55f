package ccproxy_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Whatever breaks, clients of every format get one end of their own format, and never one that looks like a success.
func TestFaultsInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, k := range clientKinds() {
		for _, fault := range providertest.Faults() {
			for _, streams := range []bool{true, false} {
				name := k.name + " " + fault.Name
				if !streams {
					name += " whole"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkFault(t, k, fault, streams)
				})
			}
		}
	}
}

func checkFault(t *testing.T, k clientKind, fault providertest.Fault, streams bool) {
	t.Helper()
	if !streams {
		k.body = strings.Replace(k.body, `"stream":true,`, "", 1)
	}
	r := newRig(t, rigSetup{})
	s := newHost(t, r.proxy, false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.upstream.Handler = func(providertest.Request) providertest.Reply {
		if fault.Silent {
			cancel()
		}
		return fault.Reply
	}
	status, got, err := askAt(ctx, s, k.path, k.body)
	if fault.Silent {
		<-r.upstream.Canceled()
		if !r.failed(t).ClientGone {
			t.Error("hooks were not told that the client went away")
		}
		return
	}
	good, bad := strings.Count(got, k.success), strings.Count(got, k.failure)
	looksWhole := err == nil && status == http.StatusOK && bad == 0
	tail := got[max(0, len(got)-300):]
	switch {
	case !fault.Whole && (looksWhole || good > 0):
		t.Errorf("taken for a success: %d %q", status, tail)
	case good+bad > 1:
		t.Errorf("%d successes and %d failures: %d %q", good, bad, status, tail)
	case streams && status == http.StatusOK && err == nil && good+bad != 1:
		t.Errorf("no end: %q", tail)
	}
	end := <-r.ends
	if _, completed := end.(*hooks.RequestCompleted); completed != looksWhole {
		t.Errorf("the client got %d with %d error events, hooks were told %T", status, bad, end)
	}
}

// A thousand clients that leave, at any moment, free what the upstream does for them at once.
//
//nolint:paralleltest // it measures time
func TestManyClientsGo(t *testing.T) {
	const clients = 1000
	moments := []struct {
		reply providertest.Reply
		body  string
		read  int
	}{
		{providertest.Stall(nil, nil), streamBody, 0},
		{providertest.Stream(providertest.Gate(nil)), streamBody, 0},
		{streamOf(startEvent, providertest.Gate(nil)), streamBody, len(startEvent)},
		{streamOf(startEvent+deltaEvent[:30], providertest.Gate(nil)), streamBody, len(startEvent)},
		{providertest.Stall(nil, nil), wholeBody, 0},
		{held(`{"half":`), wholeBody, 0},
	}
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	took := make([]time.Duration, 0, clients)
	for i := range clients {
		m := moments[i%len(moments)]
		ctx, cancel := context.WithCancel(t.Context())
		left, freed := make(chan time.Time, 1), make(chan time.Time, 1)
		leaves := func() {
			left <- time.Now()
			cancel()
		}
		r.upstream.Enqueue(func(w http.ResponseWriter, req *http.Request) {
			defer func() { freed <- time.Now() }()
			if m.read == 0 {
				leaves()
			}
			m.reply(w, req)
		})
		leave(ctx, t, s, m.body, m.read)
		if m.read > 0 {
			leaves()
		}
		took = append(took, (<-freed).Sub(<-left))
	}
	slices.Sort(took)
	limit := 100 * time.Millisecond
	if raceEnabled {
		limit *= 10
	}
	if p99 := took[clients*99/100]; p99 > limit {
		t.Errorf("the upstream is freed after %v in 99 of 100 cases, the slowest took %v", p99, took[clients-1])
	}
}
