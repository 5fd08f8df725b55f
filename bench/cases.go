package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// load is one case: what is asked, how often, and how many at a time.
type load struct {
	name     string
	body     []byte
	stream   bool
	pause    time.Duration // of the upstream after each event
	requests int           // in a round
	workers  int           // connections, each with one request at a time
	goal     float64       // for the ratio
	allocs   float64       // goal for the allocations of a streamed event
	way      direction     // of the conversion; the zero value is the Messages format on both sides
}

// direction is what the client and the upstream speak.
func (l load) direction() direction {
	if l.way == (direction{}) {
		return native()
	}
	return l.way
}

// units is the number of things whose cost is told: events of streams, otherwise requests.
func (l load) units(requests int) float64 {
	if l.stream {
		return float64(requests * streamEvents)
	}
	return float64(requests)
}

func (l load) unit() string {
	if l.stream {
		return "event"
	}
	return "request"
}

// scaled changes the number of requests, with at least one for each worker.
func (l load) scaled(by float64) load {
	l.requests = max(int(float64(l.requests)*by), 1)
	l.workers = min(l.workers, l.requests)
	return l
}

func cases() []load {
	list := []load{
		{name: "1KB", body: plainBody(1 << 10), requests: 2500, workers: 8, goal: 1.5},
		{name: "60KB", body: plainBody(60 << 10), requests: 1500, workers: 8, goal: 1.3},
		{name: "80KB", body: agentBody(), requests: 1500, workers: 8, goal: 1.3},
		{name: "stream", body: streamBody(), stream: true, requests: 120, workers: 8, goal: 1.3},
		// Models pause between events: every event is a read and a write of its own.
		{
			name: "paced", body: streamBody(), stream: true, pause: time.Millisecond,
			requests: 96, workers: 48, goal: 1.3,
		},
	}
	goals := map[string][4]float64{"C-A": {2, 2.5, 3, 3}}
	for _, way := range []direction{{"C", "A"}, {"A", "C"}, {"A", "R"}, {"C", "R"}, {"R", "A"}} {
		name := way.client + "-" + way.upstream
		list = append(list, conversions(name, way, goals[name])...)
	}
	return list
}

// conversions are the cases in which client and upstream speak different dialects. The goals are those of the ratios;
// the bare proxy relays the client's bytes and gets the same answer.
func conversions(name string, way direction, goals [4]float64) []load {
	const events = 4 // allocations that an event of a stream may cost, where there are goals
	allocs := 0.0
	if goals[3] > 0 {
		allocs = events
	}
	whole := func(size string, body []byte, requests int, goal float64) load {
		return load{
			name: name + ":" + size, way: way, body: asked(way.client, body),
			requests: requests, workers: 8, goal: goal,
		}
	}
	return []load{
		whole("1KB", plainBody(1<<10), 2000, goals[0]),
		whole("60KB", plainBody(60<<10), 1000, goals[1]),
		whole("80KB", toolsBody(), 1000, goals[2]),
		{
			name: name + ":stream", way: way, body: asked(way.client, streamBody()), stream: true,
			requests: 120, workers: 8, goal: goals[3], allocs: allocs,
		},
	}
}

func caseNames() []string {
	var names []string
	for _, l := range cases() {
		names = append(names, l.name)
	}
	return names
}

// choose returns the named cases, in their own order; all of them for "".
func choose(names string) ([]load, error) {
	all := cases()
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.Contains(caseNames(), name) {
			return nil, fmt.Errorf("-case: there is no %q, only %s", name, strings.Join(caseNames(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(l load) bool { return !slices.Contains(wanted, l.name) }), nil
}

// variant is one way to run the proxy.
type variant struct {
	name   string
	hooks  int
	chunks bool // one more hook, on every event of a stream
}

func variants(l load, o options) []variant {
	var list []variant
	for i, n := range o.hooks {
		if i > 0 && l.direction().converts() {
			break // hooks cost what they cost anywhere
		}
		list = append(list, variant{name: fmt.Sprintf("%d hooks", n), hooks: n})
	}
	if l.stream && !l.direction().converts() {
		list = append(list, variant{name: "1 on chunks", chunks: true})
	}
	return list
}

// hookCalls is how often the hooks of a variant are called for each request.
func (v variant) hookCalls(l load) int {
	calls := 0
	for i := range v.hooks {
		if l.stream || hookEvent(i) != eventOfStreams {
			calls++
		}
	}
	if v.chunks {
		calls += streamEvents
	}
	return calls
}
