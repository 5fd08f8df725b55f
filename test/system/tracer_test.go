package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

// pairings is how many plans have each ending in each dialect of clients from each upstream.
const pairings = int(endings) * int(families) * int(families)

// TestTracer sends requests of all dialects that end in every way, and reads in the files what was said.
func TestTracer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rig := startTracer(t, requesttracer.Name, nil)
		rig.askAll(0, pairings)
		rig.stop()
		traces, scripts := readTraces(t, rig.traces), readTraces(t, rig.scripts)
		for n := range pairings {
			rig.compareTraces(newPlan(n), traces[n], []string{".http", ".json"})
			rig.compareScripts(newPlan(n), scripts[n])
		}
		if len(traces) != pairings || len(scripts) != pairings {
			t.Errorf("files of %d and %d requests, want %d", len(traces), len(scripts), pairings)
		}
		if lines := rig.log.lines("cannot be written"); len(lines) > 0 {
			t.Errorf("log: %s", lines)
		}
	})
}

// TestTracerAlias asks the same of raw_http_logger, which writes no JSON.
func TestTracerAlias(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rig := startTracer(t, requesttracer.Alias, nil)
		rig.askAll(0, int(endings))
		rig.stop()
		traces := readTraces(t, rig.traces)
		for n := range int(endings) {
			rig.compareTraces(newPlan(n), traces[n], []string{".http"})
		}
	})
}

// traceFile is a file of one message.
type traceFile struct {
	number    int
	base, end string // base is what files of one message share; end tells them apart
	side      string
	stage     string // "request" or "response", "" of scripts
	text      string
}

// readTraces reads a directory, by the numbers of plans, in the order in which messages were numbered. Nothing in it
// may be open to others, or have a secret.
func readTraces(t *testing.T, dir string) map[int][]traceFile {
	t.Helper()
	name := regexp.MustCompile(
		`^(\d{8}T\d{6}\.\d{9}Z_req-(\d+)_(\d{6})_(client|provider))(?:_(request|response)(\.http|\.json)|(_curl\.sh|_body))$`)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[int][]traceFile)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", e.Name(), info, err)
		}
		for _, canary := range canaries() {
			if at := providertest.FindSecret(e.Name()+"\n"+string(text), canary); at != "" {
				t.Errorf("%s has %s (%s)", e.Name(), canary, at)
			}
		}
		parts := name.FindStringSubmatch(e.Name())
		if parts == nil {
			t.Errorf("file %s", e.Name())
			continue
		}
		n, _ := strconv.Atoi(parts[2])
		number, _ := strconv.Atoi(parts[3])
		found[n] = append(found[n], traceFile{
			number: number, base: parts[1], end: parts[6] + parts[7], side: parts[4], stage: parts[5], text: string(text),
		})
	}
	for _, files := range found {
		slices.SortFunc(files, func(a, b traceFile) int {
			return 2*(a.number-b.number) + strings.Compare(a.end, b.end)
		})
	}
	return found
}

// compareTraces holds that each message of a plan has one file of each kind, and that it is what both ends have seen.
func (r *tracerRig) compareTraces(p plan, files []traceFile, kinds []string) {
	r.t.Helper()
	calls := r.witness.of(p.n)
	want := map[string][]told{
		"client_request": {*r.got[p.n]}, "client_response": {*r.got[p.n]},
	}
	for _, call := range calls {
		want["provider_request"] = append(want["provider_request"], *call)
		want["provider_response"] = append(want["provider_response"], *call)
	}
	if len(calls) != map[bool]int{true: 2, false: 1}[p.retried()] {
		r.t.Errorf("%s: %d calls", p.id(), len(calls))
	}
	if n := 2 * (1 + len(calls)) * len(kinds); len(files) != n {
		r.t.Errorf("%s (%d): %d files, want %d", p.id(), p.ending, len(files), n)
	}
	for stage, messages := range want {
		for _, kind := range kinds {
			i := 0
			for _, f := range files {
				if f.side+"_"+f.stage != stage || f.end != kind {
					continue
				}
				if i < len(messages) {
					m := tracedMessage{t: r.t, plan: p, file: f, call: i + 1, of: len(messages), told: messages[i]}
					m.compare()
				}
				i++
			}
			if i != len(messages) {
				r.t.Errorf("%s (%d): %d files of %s%s, want %d", p.id(), p.ending, i, stage, kind, len(messages))
			}
		}
	}
}

// tracedMessage is a file with what was said according to both ends.
type tracedMessage struct {
	t        *testing.T
	plan     plan
	file     traceFile
	call, of int
	told     told
}

func (m *tracedMessage) errorf(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("%s (%d) %s_%s%s, call %d: %s\n%s", m.plan.id(), m.plan.ending, m.file.side, m.file.stage, m.file.end, m.call,
		fmt.Sprintf(format, args...), m.file.text)
}

// marked reports whether the answer has to be marked as one that did not come to its end.
func (m *tracedMessage) marked() bool {
	switch m.plan.ending {
	case cut, broken, canceled:
		return m.file.stage == "response"
	default:
		return false
	}
}

func (m *tracedMessage) compare() {
	m.t.Helper()
	if m.file.end == ".http" {
		m.compareRaw()
		return
	}
	m.compareJSON()
}

// body compares a body. Of what was sent to a client that has left nobody knows the end.
func (m *tracedMessage) body(got string) {
	m.t.Helper()
	want := m.told.request
	if m.file.stage == "response" {
		want = m.told.answer
	}
	want = kept(want)
	gone := m.plan.ending == canceled && m.file.side == "client" && m.file.stage == "response"
	if got != want && (!gone || !strings.HasPrefix(got, want)) {
		m.errorf("the body is not the one that was seen:\n%q, want\n%q", got, want)
	}
}

func (m *tracedMessage) compareRaw() {
	m.t.Helper()
	head, body, ok := strings.Cut(m.file.text, "\r\n\r\n")
	first, fields, _ := strings.Cut(head, "\r\n")
	if !ok {
		m.errorf("no end of the head")
	}
	want := "POST /"
	if m.file.stage == "response" {
		want = fmt.Sprintf("HTTP/1.1 %d ", m.told.status)
	}
	if !strings.HasPrefix(first, want) {
		m.errorf("begins with %q, want %q", first, want)
	}
	if marked := strings.Contains(fields, "X-Trace-Error: "); marked != m.marked() {
		m.errorf("marked as not whole: %t, want %t", marked, m.marked())
	}
	m.body(body)
}

func (m *tracedMessage) compareJSON() {
	m.t.Helper()
	var d struct {
		RequestID string `json:"request_id"`
		Stage     string
		Call      int
		Status    int
		Error     string
		Body      json.RawMessage
		Size      int64 `json:"body_size"`
		Truncated bool  `json:"body_truncated"`
		Stream    *struct {
			Text     string
			Complete bool
		}
	}
	if err := json.Unmarshal([]byte(m.file.text), &d); err != nil {
		m.errorf("%v", err)
		return
	}
	call, status := 0, 0
	if m.file.side == "provider" {
		call = m.call
	}
	if m.file.stage == "response" {
		status = m.told.status
	}
	if d.RequestID != m.plan.id() || d.Stage != m.file.side+"_"+m.file.stage || d.Call != call || d.Status != status ||
		d.Truncated || d.Size == 0 {
		m.errorf("want the stage of %s, call %d, status %d, whole", m.plan.id(), call, status)
	}
	if (d.Error != "") != m.marked() {
		m.errorf("error %q, want one: %t", d.Error, m.marked())
	}
	m.jsonBody(d.Body)
	if streams := m.file.stage == "response" && m.plan.stream() && m.call == m.of; streams != (d.Stream != nil) {
		m.errorf("put together: %t, want %t", d.Stream != nil, streams)
	} else if streams && (d.Stream.Text != "Hello" || d.Stream.Complete == m.marked()) {
		m.errorf("put together: %+v", d.Stream)
	}
}

// jsonBody compares a body that is a member: one of JSON is not spaced as it was.
func (m *tracedMessage) jsonBody(got json.RawMessage) {
	m.t.Helper()
	var text string
	if json.Unmarshal(got, &text) == nil {
		m.body(text)
		return
	}
	want := m.told.request
	if m.file.stage == "response" {
		want = m.told.answer
	}
	want = kept(want)
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		m.errorf("the body is not %s", want)
	}
}
