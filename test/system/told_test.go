package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/system/pricing"
)

// page asks the proxy for one of its own pages.
func (r *rig) page(path string) []byte {
	r.t.Helper()
	resp, err := r.client.Get("http://localhost" + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d, %v: %.300s", path, resp.StatusCode, err, body)
	}
	return body
}

func (r *rig) decode(path string, v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.page(path), v); err != nil {
		r.t.Fatalf("%s: %v", path, err)
	}
}

// picodollars reads dollars of which no digit may be missing.
func picodollars(t *testing.T, text string) int64 {
	t.Helper()
	n, err := pricing.ParseAmount(strings.Trim(text, `"`))
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// picosOf are the picodollars that a floating-point number of dollars stands for.
func picosOf(dollars float64) int64 { return int64(math.Round(dollars * 1e12)) }

// metrics reads /metrics.
func (r *rig) metrics() sums {
	r.t.Helper()
	s := sums{}
	line := regexp.MustCompile(`(?m)^ccproxy_(\w+)\{([^}]*)\} (\S+)$`)
	kind := regexp.MustCompile(`(?:^|,)type="(\w+)"`)
	var first float64
	for _, found := range line.FindAllStringSubmatch(string(r.page("/metrics")), -1) {
		n, err := strconv.ParseFloat(found[3], 64)
		if err != nil {
			r.t.Fatal(err)
		}
		service := !strings.Contains(found[2], `service_type="none"`)
		switch found[1] {
		case "requests_total":
			if service {
				s["requests"] += int64(n)
			}
		case "tokens_total":
			s[kind.FindStringSubmatch(found[2])[1]] += int64(n)
		case "cost_usd_total":
			s["cost"] += picosOf(n)
		case "unpriced_requests_total":
			s["unpriced"] += int64(n)
		case "retries_total":
			s["retries"] += int64(n)
		case "upstream_latency_seconds_count":
			s["calls"] += int64(n)
		case "time_to_first_token_seconds_count":
			s["streams"] += int64(n)
		case "time_to_first_token_seconds_sum":
			first += n
		}
	}
	r.firstBytes(time.Duration(first*1e9), int(s["requests"]))
	return s
}

// firstBytes compares a sum of the times of first bytes of streams.
func (r *rig) firstBytes(got time.Duration, requests int) {
	r.t.Helper()
	var earliest, latest time.Duration
	for n := range requests {
		if p := newPlan(n); p.stream() {
			early, late := p.firstByte()
			earliest += early
			latest += late
		}
	}
	if got < earliest-time.Millisecond || got > latest+time.Millisecond { // floating-point
		r.t.Errorf("metrics: first bytes of streams came after %v in all, want %v to %v", got, earliest, latest)
	}
}

// analytics reads /logs/analytics.
func (r *rig) analytics() sums {
	r.t.Helper()
	var answer struct {
		Summary struct {
			Requests   int64           `json:"total_requests"`
			Success    int64           `json:"total_successful_requests"`
			Errors     int64           `json:"total_error_requests"`
			Canceled   int64           `json:"total_canceled_requests"`
			Cost       json.RawMessage `json:"total_cost_usd"`
			Unpriced   int64           `json:"cost_unknown_requests"`
			Input      int64           `json:"total_tokens_input"`
			Output     int64           `json:"total_tokens_output"`
			CacheRead  int64           `json:"total_cache_read_tokens"`
			CacheWrite int64           `json:"total_cache_write_tokens"`
			All        int64           `json:"total_tokens_all"`
		}
	}
	r.decode("/logs/analytics?hours=24&provider=claude,chat,responses", &answer)
	a := answer.Summary
	return sums{
		"requests": a.Requests, "success": a.Success, "error": a.Errors, "canceled": a.Canceled,
		"cost": picodollars(r.t, string(a.Cost)), "raw_input": a.Input, "output": a.Output,
		"cache_read": a.CacheRead, "cache_write": a.CacheWrite, "tokens": a.All,
	}
}

// budgets reads /budgets: one budget is of each team, one of all.
func (r *rig) budgets() sums {
	r.t.Helper()
	var answer struct {
		Budgets []struct {
			Name, Caller string
			Cost         string `json:"cost_usd"`
			Tokens       int64
			Unpriced     int64 `json:"unpriced_requests"`
			Reserved     int64 `json:"reserved_tokens"`
		}
	}
	r.decode("/budgets", &answer)
	each, all := sums{}, sums{}
	for _, b := range answer.Budgets {
		s := each
		if b.Name == "all" {
			s = all
		}
		s["cost"] += picodollars(r.t, b.Cost)
		s["tokens"] += b.Tokens
		s["unpriced"] += b.Unpriced
		if b.Reserved != 0 {
			r.t.Errorf("budget %q of %q: %d tokens are still reserved", b.Name, b.Caller, b.Reserved)
		}
	}
	r.compare("budgets of teams", all, each)
	return all
}

// dashboard reads what the page is told.
func (r *rig) dashboard() sums {
	r.t.Helper()
	var answer struct {
		Totals struct {
			Requests, Failed, Gone, Input, Output, Unpriced int64

			CacheRead  int64 `json:"cache_read"`
			CacheWrite int64 `json:"cache_write"`
			Cost       float64
		}
		Requests struct {
			Ended []struct {
				ID      string
				FirstMS int64 `json:"first_ms"`
			}
		}
	}
	r.decode("/dashboard/data?range=24h", &answer)
	for _, e := range answer.Requests.Ended {
		if text, ok := strings.CutPrefix(e.ID, "req-"); ok {
			n, _ := strconv.Atoi(text)
			early, late := newPlan(n).firstByte()
			if got := time.Duration(e.FirstMS) * time.Millisecond; got < early || got > late {
				r.t.Errorf("dashboard: the first byte of %s came after %v, want %v to %v", e.ID, got, early, late)
			}
		}
	}
	a := answer.Totals
	return sums{
		"requests": a.Requests, "error": a.Failed, "canceled": a.Gone, "input": a.Input, "output": a.Output,
		"cache_read": a.CacheRead, "cache_write": a.CacheWrite, "unpriced": a.Unpriced, "cost": picosOf(a.Cost),
	}
}

// logged reads lines of access_log, of clients or of calls of providers.
func logged(t *testing.T, log []byte) sums {
	t.Helper()
	s := sums{}
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		var line struct {
			RequestID  string  `json:"request_id"`
			Provider   string  `json:"provider"`
			Service    string  `json:"service_type"`
			Input      int64   `json:"tokens_input"`
			Output     int64   `json:"tokens_output"`
			CacheRead  int64   `json:"cache_read_tokens"`
			CacheWrite int64   `json:"cache_write_tokens"`
			Cost       float64 `json:"cost_usd"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if !strings.HasPrefix(line.RequestID, "req-") {
			continue // a page of the proxy's own
		}
		s["raw_input"] += line.Input
		s["output"] += line.Output
		s["cost"] += picosOf(line.Cost)
		if line.Provider == "" {
			s["requests"]++
			continue
		}
		s["calls"]++
		s["cache_read"] += line.CacheRead
		s["cache_write"] += line.CacheWrite
	}
	return s
}

// compareRecords compares the records of analytics with the plans, one by one.
func (r *rig) compareRecords(requests int) {
	r.t.Helper()
	seen := make(map[int]bool)
	for cursor := ""; ; {
		var answer struct {
			Results []record
			Next    string `json:"next_cursor"`
		}
		r.decode("/logs/query?limit=2000&provider=claude,chat,responses&cursor="+cursor, &answer)
		for i := range answer.Results {
			a := &answer.Results[i]
			n, err := strconv.Atoi(strings.TrimPrefix(a.RequestID, "req-"))
			if err != nil || seen[n] {
				r.t.Errorf("request %q is recorded again, or nobody has sent it", a.RequestID)
			}
			seen[n] = true
			a.compare(r.t, newPlan(n))
		}
		if cursor = answer.Next; cursor == "" {
			break
		}
	}
	if len(seen) != requests {
		r.t.Errorf("%d records for %d requests", len(seen), requests)
	}
}

// record is one of analytics.
type record struct {
	RequestID string `json:"request_id"`
	Caller    string
	Model     string
	Outcome   string
	Attempts  int
	First     *float64        `json:"time_to_first_byte_ms"`
	Input     *int64          `json:"tokens_input"`
	Output    *int64          `json:"tokens_output"`
	Hour      *int64          `json:"cache_write_1h_tokens"`
	CostUSD   json.RawMessage `json:"cost_usd"`
}

func (a *record) compare(t *testing.T, p plan) {
	t.Helper()
	u, told := p.declared()
	cost, priced := p.cost()
	attempts := 1
	if p.retried() {
		attempts = 2
	}
	if a.Caller != p.team || a.Model != p.model.name || a.Outcome != p.outcome() || a.Attempts != attempts {
		t.Errorf("%s (%d): %+v", p.id(), p.ending, a)
	}
	if (a.Output != nil) != told || told && (*a.Output != u.output || *a.Hour != u.hour) {
		t.Errorf("%s (%d): %v tokens of output, want %+v, %t", p.id(), p.ending, a.Output, u, told)
	}
	if known := string(a.CostUSD) != "null"; known != priced || known && picodollars(t, string(a.CostUSD)) != cost {
		t.Errorf("%s (%d): cost %s, want %d, %t", p.id(), p.ending, a.CostUSD, cost, priced)
	}
	early, late := p.firstByte()
	if a.First == nil {
		t.Errorf("%s (%d): nobody knows when the first byte came", p.id(), p.ending)
	} else if got := time.Duration(*a.First * 1e6); got < early || got > late {
		t.Errorf("%s (%d): the first byte came after %v, want %v to %v", p.id(), p.ending, got, early, late)
	}
}
