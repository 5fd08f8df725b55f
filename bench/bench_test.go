package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// TestRun measures with a handful of requests: whatever the figures are, answers are whole and hooks are called.
func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		load load
		want []string // variants
	}{
		{load{name: "plain", body: agentBody(), requests: 6, workers: 2, goal: 1000}, []string{"bare", "3 hooks"}},
		{
			load{name: "stream", body: streamBody(), stream: true, requests: 4, workers: 2},
			[]string{"bare", "3 hooks", "1 on chunks"},
		},
	}
	for _, l := range cases() {
		if !l.direction().converts() || !strings.HasSuffix(l.name, ":80KB") && !l.stream {
			continue
		}
		l.requests, l.workers = 4, 2
		tests = append(tests, struct {
			load load
			want []string
		}{l, []string{"bare", "3 hooks"}})
	}
	if testing.Short() {
		tests = tests[1:4]
	}
	for _, tt := range tests {
		t.Run(tt.load.name, func(t *testing.T) {
			t.Parallel()
			r, err := measure(t.Context(), tt.load, options{rounds: 1, hooks: []int{3}})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, target := range r.targets {
				names = append(names, target.name)
				if target.tally.errors > 0 || len(target.tally.latencies) != target.sent || target.sent == 0 {
					t.Errorf("%s: %d errors, the first %v, %d of %d answers",
						target.name, target.tally.errors, target.tally.first, len(target.tally.latencies), target.sent)
				}
				if target.lost != 0 {
					t.Errorf("%s: %d of %d hook calls missing", target.name, target.lost, target.calls*target.sent)
				}
				if target.rounds[0].cpu <= 0 || target.rounds[0].allocs <= 0 {
					t.Errorf("%s: nothing measured: %+v", target.name, target.rounds[0])
				}
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("targets mismatch (-want +got):\n%s", diff)
			}
			checkTable(t, r)
		})
	}
}

// checkTable reads the table back.
func checkTable(t *testing.T, r result) {
	t.Helper()
	var out bytes.Buffer
	if err := printTable(&out, []result{r}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+len(r.targets) {
		t.Fatalf("%d lines for %d targets:\n%s", len(lines), len(r.targets), out.String())
	}
	for i, target := range r.targets {
		fields := strings.Fields(lines[i+1])
		if fields[0] != r.load.name || fields[len(fields)-1] != "0" || !strings.Contains(lines[i+1], target.name) {
			t.Errorf("line of %s: %q", target.name, lines[i+1])
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	l := load{body: streamBody(), stream: true, workers: 1}
	whole := wanted(letterMessages, true)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error; "" for none
	}{
		{"whole", newUpstream(letterMessages, 0).ServeHTTP, ""},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "status 502"},
		{"other request", func(w http.ResponseWriter, _ *http.Request) { w.Write(whole) }, "the upstream saw the request"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Request-Id", requestID(l.body))
			w.Write(whole[:len(whole)-1])
		}, "the answer ends after"},
		{"changed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Request-Id", requestID(l.body))
			w.Write(bytes.Replace(whole, []byte("end_turn"), []byte("max_turn"), 1))
		}, "is not the upstream's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			c := newClient(server.Listener.Addr().String(), "/v1/messages", l)
			defer c.close()
			got := c.drive(t.Context(), 3)
			if tt.want == "" {
				if got.errors != 0 || len(got.latencies) != 3 {
					t.Errorf("%d errors, the first %v, want none", got.errors, got.first)
				}
				return
			}
			if got.errors != 3 || got.first == nil || !strings.Contains(got.first.Error(), tt.want) {
				t.Errorf("%d errors, the first %v, want 3 with %q", got.errors, got.first, tt.want)
			}
		})
	}
}

// TestBodies holds the sizes that the cases are named after, and that the bodies are the same in every run.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, l := range cases() {
		if !json.Valid(l.body) {
			t.Errorf("%s: the body is not JSON", l.name)
		}
	}
	for _, size := range []int{1 << 10, 60 << 10} {
		if got := len(plainBody(size)); math.Abs(float64(size-got)) > 8 {
			t.Errorf("plainBody(%d) has %d bytes", size, got)
		}
	}
	if n := len(agentBody()); n < 78<<10 || n > 84<<10 {
		t.Errorf("agentBody() has %d bytes, want about 80 KB", n)
	}
	if n := len(toolsBody()); n < 76<<10 || n > 86<<10 {
		t.Errorf("toolsBody() has %d bytes, want about 80 KB", n)
	}
	if !bytes.Equal(agentBody(), agentBody()) {
		t.Error("agentBody() differs from call to call")
	}
}

// TestAnswers reads the stream as a client does.
func TestAnswers(t *testing.T) {
	t.Parallel()
	in := sse.NewReader(bytes.NewReader(wanted(letterMessages, true)), 0)
	events, last, text := 0, "", 0
	for {
		ev, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(ev.Data) {
			t.Errorf("event %d is not JSON: %s", events, ev.Data)
		}
		if string(ev.Type) == "content_block_delta" {
			text += len(ev.Raw)
		}
		events++
		last = string(ev.Type)
	}
	if events != streamEvents || last != "message_stop" {
		t.Errorf("%d events, the last %s, want %d and message_stop", events, last, streamEvents)
	}
	if mean := text / (streamEvents - 6); mean < 170 || mean > 182 {
		t.Errorf("events of %d bytes, want about 176", mean)
	}
	if !json.Valid(wanted(letterMessages, false)) {
		t.Error("the answer is not JSON")
	}
}

// TestCheckConverted holds what an answer in another dialect must be: what the upstream said, and always the same.
func TestCheckConverted(t *testing.T) {
	t.Parallel()
	l := load{body: streamBody(), way: direction{"C", "A"}, workers: 1}
	whole := answered("C", answerBody())
	tests := []struct {
		name    string
		answers [][]byte
		want    string
	}{
		{"the same but for the time", [][]byte{whole, bytes.Replace(whole, []byte("1700000000"), []byte("1800000000"), 1)}, ""},
		{"less than was said", [][]byte{bytes.ReplaceAll(whole, []byte("an"), []byte("na"))}, "lacks"},
		{"another one", [][]byte{whole, append([]byte(" "), whole...)}, "is not that of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient("", "", l)
			var err error
			for _, answer := range tt.answers {
				err = errors.Join(err, c.checkConverted(answer))
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	slow := result{load: load{name: "x"}, targets: []*target{{name: "0 hooks", goal: 1.5, ratios: []float64{1.4, 1.6, 1.7}}}}
	hungry := result{load: load{name: "x", stream: true, allocs: 4}, targets: []*target{{
		name: "0 hooks", goal: 1.5, ratios: []float64{1}, rounds: []round{{allocs: 5 * streamEvents}},
	}}}
	wrong := result{load: load{name: "x"}, targets: []*target{{name: "bare", tally: tally{errors: 1, first: io.EOF}}}}
	tests := []struct {
		name   string
		result result
		goals  bool
		want   bool
	}{
		{name: "above the goal, only told", result: slow},
		{name: "above the goal", result: slow, goals: true, want: true},
		{name: "too many allocations", result: hungry, goals: true, want: true},
		{name: "wrong answer", result: wrong, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := verdict([]result{tt.result}, tt.goals); (err != nil) != tt.want {
				t.Errorf("verdict = %v, want an error: %t", err, tt.want)
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{30, 10, 40, 20}
	for q, want := range map[float64]time.Duration{0: 10, 0.5: 25, 1: 40} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile(%v) = %d, want %d", q, got, want)
		}
	}
	if !slices.Equal(values, []time.Duration{30, 10, 40, 20}) {
		t.Errorf("quantile sorted its argument: %v", values)
	}
	if got := quantile([]float64(nil), 0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want options
		fail bool
	}{
		{name: "none", want: options{rounds: 7, scale: 1, hooks: []int{0, 5, 50}}},
		{name: "quick", args: []string{"-quick"}, want: options{rounds: 2, scale: 0.1, hooks: []int{0, 5, 50}}},
		{
			name: "all", args: []string{"-case", "1KB", "-rounds", "3", "-hooks", "0, 1", "-check"},
			want: options{rounds: 3, scale: 1, cases: "1KB", hooks: []int{0, 1}, check: true},
		},
		{name: "no number", args: []string{"-hooks", "many"}, fail: true},
		{name: "no rounds", args: []string{"-rounds", "0"}, fail: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOptions(tt.args, io.Discard)
			if (err != nil) != tt.fail {
				t.Fatalf("parseOptions = %v, want an error: %t", err, tt.fail)
			}
			if tt.fail {
				return
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("options mismatch (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := choose("1KB,2KB"); err == nil {
		t.Error("choose took an unknown case")
	}
}
