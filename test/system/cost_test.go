package system

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// maxRatio is what CPU time for a native request with all plugins may be, beside that without them.
	maxRatio = 1.5
	// maxEventAllocs is how many allocations more an event of a stream may cost with them.
	maxEventAllocs = 2
	costEvents     = 200
)

// TestCost measures what the plugins cost, all of them together, beside the same proxy without them in the same run.
// Ratios are medians over pairs of neighboring rounds. They need rounds, and a machine that does nothing else, so they
// are measured with CCPROXY_COST=1 only; allocations are counted always. CCPROXY_SYSTEM_PROFILES names a directory for
// profiles of both.
func TestCost(t *testing.T) { //nolint:paralleltest // others would be measured, too
	rounds, scale := 2, 4
	full := os.Getenv("CCPROXY_COST") != ""
	if full {
		rounds, scale = 35, 1 // the median of fewer is off by a twentieth
	}
	upstream := httptest.NewServer(http.HandlerFunc(answerAtOnce))
	defer upstream.Close()
	tests := []struct {
		name     string
		body     string
		requests int
		events   int // of an answer
	}{
		{"1KB", costBody(1<<10, false), 2000, 0},
		{"60KB", costBody(60<<10, false), 1000, 0},
		{"stream", costBody(1<<10, true), 200, costEvents},
	}
	for _, tt := range tests { //nolint:paralleltest // they are measured one after the other
		t.Run(tt.name, func(t *testing.T) {
			if tt.events == 0 && !full {
				t.Skip("a ratio of CPU times takes many rounds: set CCPROXY_COST=1")
			}
			n := tt.requests / scale
			plain, all := start(t, upstream.URL, false), start(t, upstream.URL, true)
			plain.drive(t, tt.body, n/4)
			all.drive(t, tt.body, n/4)
			var ratios, more []float64
			for i := range rounds {
				var cost [2]usage
				for j := range 2 {
					k := (i + j) % 2
					cost[k] = []*process{plain, all}[k].round(t, tt.body, n)
				}
				ratios = append(ratios, float64(cost[1].CPU)/float64(cost[0].CPU))
				more = append(more, (float64(cost[1].Allocs)-float64(cost[0].Allocs))/float64(n*max(tt.events, 1)))
				t.Logf("%v and %v of CPU for a request, %d and %d allocations", cost[0].CPU/time.Duration(n), cost[1].CPU/time.Duration(n),
					cost[0].Allocs/uint64(n), cost[1].Allocs/uint64(n))
			}
			t.Logf("%.2f times the CPU, %.2f allocations more", median(ratios), median(more))
			if full && median(ratios) > maxRatio {
				t.Errorf("%.2f times the CPU of the proxy alone, want %.1f at most", median(ratios), maxRatio)
			}
			if tt.events > 0 && median(more) > maxEventAllocs {
				t.Errorf("an event has %.2f allocations more, want %d at most", median(more), maxEventAllocs)
			}
			if u := all.usage(t); u.Dropped > 0 || u.Failed > 0 {
				t.Errorf("hooks were not given %d events and failed at %d: what is measured is not all", u.Dropped, u.Failed)
			}
		})
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// round sends requests and tells what they cost.
func (p *process) round(t *testing.T, body string, n int) usage {
	t.Helper()
	before := p.usage(t)
	p.drive(t, body, n)
	after := p.usage(t)
	return usage{CPU: after.CPU - before.CPU, Allocs: after.Allocs - before.Allocs}
}

// drive sends requests, eight at a time.
func (p *process) drive(t *testing.T, body string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	next := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for range next {
				p.send(t, body)
			}
		})
	}
	for range n {
		next <- struct{}{}
	}
	close(next)
	wg.Wait()
}

func (p *process) send(t *testing.T, body string) {
	t.Helper()
	resp, err := p.client.Post(p.base+"/claude/v1/messages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), "output_tokens") {
		t.Errorf("%d, %v: %.200s", resp.StatusCode, err, answer)
	}
}

func costBody(size int, stream bool) string {
	const frame = `{"model":"claude-haiku-4-5","max_tokens":1000,"stream":%t,"messages":[{"role":"user","content":"%s"}]}`
	return fmt.Sprintf(frame, stream, strings.Repeat("Say it once more. ", size/18))
}

// answerAtOnce is the upstream.
func answerAtOnce(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	const counts = `{"input_tokens":250,"cache_read_input_tokens":1800,"cache_creation_input_tokens":7,"output_tokens":%d}`
	if !strings.Contains(string(body[:100]), `"stream":true`) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5",`+
			`"content":[{"type":"text","text":%q}],"stop_reason":"end_turn","usage":`+counts+`}`, strings.Repeat("Hello ", 120), 180)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	event := func(name, rest string) {
		_, _ = fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", name, name, rest)
		_ = control.Flush()
	}
	event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5",`+
		`"content":[],"stop_reason":null,"usage":`+fmt.Sprintf(counts, 1)+`}`)
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	for range costEvents - 5 {
		event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"`+strings.Repeat("Hello ", 10)+`"}`)
	}
	event("content_block_stop", `,"index":0`)
	event("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1800}`)
	event("message_stop", "")
}
