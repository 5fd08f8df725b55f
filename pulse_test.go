package ccproxy_test

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// every sends pieces with a pause before each.
func every(wait time.Duration, pieces ...string) []providertest.Part {
	var parts []providertest.Part
	for _, piece := range pieces {
		parts = append(parts, pause(wait), providertest.Bytes(piece))
	}
	return parts
}

// Whoever wants no limit may say so with a very large one.
func TestEndlessPatience(t *testing.T) {
	t.Parallel()
	for _, idle := range []time.Duration{1_000_000 * time.Hour, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{StreamIdle: idle}}})
			s := newHost(t, r.proxy, false)
			text := providertest.TextEvents("claude-fake", "One two.")
			r.upstream.Enqueue(providertest.Stream(slices.Concat(text[:3], []providertest.Part{pause(100 * time.Hour)}, text[3:])...))
			k := clientKinds()[0]
			if resp, got := k.stream(t, s); resp.StatusCode != http.StatusOK || strings.Count(got, k.success) != 1 {
				t.Errorf("%v: %d %q", idle, resp.StatusCode, got)
			}
		})
	}
}

// A provider has to send something, and an event from time to time. How long either may take is not the same.
func TestSlowEvents(t *testing.T) {
	t.Parallel()
	const idle = time.Minute
	const delta = "event: content_block_delta\ndata: " +
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + "%" + `"}}` + "\n\n"
	head, tail, _ := strings.Cut(delta, "%")
	letters := func(n int) []string { return strings.Split(strings.Repeat("x", n), "") }
	text := providertest.TextEvents("claude-fake", "One two.")
	endless := append(every(50*time.Second, letters(10)...), providertest.Gate(nil))
	tests := []struct {
		name  string
		parts []providertest.Part
		says  string        // what the stream ends with, if not well
		took  time.Duration // after the beginning of the answer
	}{
		{"slow event", every(50*time.Second, head, "xxx", "yyy", tail), "", 200 * time.Second},
		{"pings", every(50*time.Second, strings.Split(strings.Repeat("event: ping\ndata: {\"type\":\"ping\"}\n\n!", 20), "!")[:20]...), "", 1000 * time.Second},
		{
			"slow events one after the other",
			append(every(50*time.Second, head, "xxx", tail), every(50*time.Second, head, "yyy", tail)...), "", 300 * time.Second,
		},
		{
			"dead in an event", append(every(50*time.Second, head, "xxx"), providertest.Gate(nil)),
			"silent for too long", 160 * time.Second,
		},
		{
			"endless event", append([]providertest.Part{providertest.Bytes(head)}, endless...),
			"took too long", 4 * idle,
		},
		{
			"endless comment", append([]providertest.Part{providertest.Bytes(": ")}, endless...),
			"took too long", 4 * idle,
		},
		{
			"comments without end",
			append(every(50*time.Second, strings.Split(strings.Repeat(": alive\n\n!", 10), "!")[:10]...), providertest.Gate(nil)),
			"took too long", 4 * idle,
		},
	}
	for _, k := range clientKinds() {
		for _, tt := range tests {
			t.Run(k.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, rigSetup{settings: ccproxy.Settings{Limits: ccproxy.Limits{StreamIdle: idle}}})
					s := newHost(t, r.proxy, false)
					parts := append(append([]providertest.Part{}, text[:3]...), tt.parts...)
					r.upstream.Enqueue(providertest.Stream(append(parts, text[3:]...)...))
					begun := time.Now()
					resp, got := k.stream(t, s)
					if took := time.Since(begun); took != tt.took || resp.StatusCode != http.StatusOK {
						t.Errorf("%d after %v, want %v", resp.StatusCode, took, tt.took)
					}
					good, bad := strings.Count(got, k.success), strings.Count(got, k.failure)
					if tt.says == "" && (good != 1 || bad != 0) {
						t.Errorf("%d successes and %d failures: %q", good, bad, got)
					}
					if tt.says != "" && (good != 0 || bad != 1 || !strings.Contains(got, tt.says)) {
						t.Errorf("%d successes and %d failures, want %q: %q", good, bad, tt.says, got)
					}
				})
			})
		}
	}
}
