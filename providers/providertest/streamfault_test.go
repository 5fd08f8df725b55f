package providertest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	pt "github.com/ccproxy-go/ccproxy/providers/providertest"
)

func pathOf(f adapters.Format) string {
	switch f {
	case adapters.OpenAIChatCompletions:
		return "/v1/chat/completions"
	case adapters.OpenAIResponses:
		return "/v1/responses"
	default:
		return "/v1/messages"
	}
}

func faultNames() []string {
	return []string{
		"refused", "reset", "cut in a chunk", "cut in an event", "end too early", "bad chunk", "error status", "error page",
		"error event", "bare error", "redirect", "wrong content type", "wrong length", "1xx flood", "header bomb", "gzip",
		"zstd", "br", "stall", "slow", "endless line", "no UTF-8", "no JSON", "second end", "unknown event", "goaway",
	}
}

// A client that reads carefully finds a whole stream only where a fault says so, and nothing of it goes on for ever.
func TestStreamFaults(t *testing.T) {
	t.Parallel()
	for _, format := range pt.Formats() {
		for _, phase := range pt.Phases() {
			var names []string
			for _, fault := range pt.StreamFaults(format, phase) {
				names = append(names, fault.Name)
				t.Run(fmt.Sprintf("%s/%s/%s", format, phase, fault.Name), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { checkFault(t, format, phase, fault) })
				})
			}
			if diff := cmp.Diff(faultNames(), names); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", format, phase, diff)
			}
		}
	}
}

func checkFault(t *testing.T, format adapters.Format, phase pt.Phase, fault pt.Fault) {
	t.Helper()
	up := newUpstream(t)
	fault.Inject(up)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
	defer cancel()
	client := up.Client()
	if fault.HTTP2 {
		client.Transport = up.HTTP2Transport()
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, body, err := doWith(client, newRequest(ctx, t, "POST", pathOf(format), `{"model":"m","stream":true}`))
	synctest.Wait()
	if up.Active() != 0 {
		t.Error("the answer goes on")
	}
	if gaveUp := ctx.Err() != nil; gaveUp != fault.Silent {
		t.Errorf("gave up: %v, Silent = %v", gaveUp, fault.Silent)
	}
	if res == nil {
		if phase != pt.BeforeHeaders && fault.Name != "header bomb" {
			t.Errorf("no answer: %v", err)
		}
		return
	}
	if res.Header.Get("Content-Encoding") != "" && fault.Name != "br" {
		return // decoding is the business of others
	}
	sound := err == nil && res.StatusCode == http.StatusOK
	end := pt.EndingOf(format, body)
	said := strings.HasSuffix(body, `"total_tokens":4}}`+"\n\n") // of Chat Completions, without [DONE]
	if whole := sound && (end.Successes > 0 || said); fault.Whole != whole && fault.Name != "wrong length" {
		t.Errorf("Whole = %v, but status %d, error %v and %+v", fault.Whole, res.StatusCode, err, end)
	}
	if words := strings.Count(body, "three"); phase >= pt.BeforeTerminal && words == 0 && res.StatusCode == http.StatusOK {
		t.Errorf("not all of the text comes before the fault: %q", body)
	}
	if phase < pt.FirstEvent && !fault.Whole && strings.Contains(body, "three") && fault.Name != "bad chunk" {
		t.Errorf("text comes before the fault: %q", body)
	}
}

// doWith is do for a client and an endless body, of which it takes some.
func doWith(client *http.Client, req *http.Request) (*http.Response, string, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res, string(b), err
}

// What a client was told of a fault is checked in its own format.
func TestFaultCheck(t *testing.T) {
	t.Parallel()
	const (
		stop    = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
		failure = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\"}}\n\n"
		mute    = "event: error\ndata: {\"type\":\"error\"}\n\n"
		own     = `{"type":"error","error":{"type":"api_error","message":"m"}}`
		foreign = `{"error":{"type":"api_error","message":"m","param":null}}`
	)
	tests := []struct {
		name   string
		whole  bool
		status int
		body   string
		err    error
		ok     bool
	}{
		{"error event", false, 200, failure, nil, true},
		{"success", false, 200, stop, nil, false},
		{"success of a whole one", true, 200, stop, nil, true},
		{"error of a whole one", true, 200, failure, nil, true},
		{"two ends", true, 200, stop + failure, nil, false},
		{"two errors", false, 200, failure + failure, nil, false},
		{"no end", false, 200, "event: ping\ndata: {}\n\n", nil, false},
		{"empty", false, 200, "", nil, false},
		{"error without words", false, 200, mute, nil, false},
		{"more after the error", false, 200, failure + "event: ping\ndata: {}\n\n", nil, false},
		{"comment after the error", false, 200, failure + ": bye\n\n", nil, true},
		{"broken off", false, 200, failure, io.ErrUnexpectedEOF, false},
		{"status", false, 502, own, nil, true},
		{"status of another format", false, 502, foreign, nil, false},
		{"status without an error", false, 502, "{}", nil, false},
		{"page", false, 502, "<html>", nil, false},
		{"redirect", false, 307, own, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := pt.Fault{Name: "x", Whole: tt.whole}.Check(adapters.AnthropicMessages, tt.status, tt.body, tt.err)
			if (err == nil) != tt.ok {
				t.Errorf("Check: %v", err)
			}
		})
	}
	chat := pt.Fault{}
	if err := chat.Check(adapters.OpenAIChatCompletions, 502, foreign, nil); err != nil {
		t.Error(err)
	}
	if err := chat.Check(adapters.OpenAIChatCompletions, 502, own, nil); err == nil {
		t.Error("an error of Anthropic's is taken for one of OpenAI's")
	}
}

// Each format's stream and whole answer say the text, and its endings are told apart.
func TestText(t *testing.T) {
	t.Parallel()
	for _, format := range pt.Formats() {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t)
			for _, streams := range []bool{true, false} {
				up.Enqueue(pt.Text(format, `One "two" three.`))
				body := fmt.Sprintf(`{"model":"m","stream":%v}`, streams)
				_, got, err := do(t, up, newRequest(t.Context(), t, "POST", pathOf(format), body))
				end := pt.EndingOf(format, got)
				if streams && (err != nil || end != pt.Ending{Successes: 1, Text: `One "two" three.`}) {
					t.Errorf("stream: %+v, %v: %q", end, err, got)
				}
				if !streams && (err != nil || !strings.HasPrefix(got, "{") || !strings.Contains(got, `"One \"two\" three."`)) {
					t.Errorf("whole: %v: %q", err, got)
				}
			}
			if n := len(pt.TextStream(format, "m", "a b c")); n < 7 {
				t.Errorf("%d events", n)
			}
		})
	}
	if got := pt.TextStream("other", "m", "a"); got != nil {
		t.Errorf("another format has %d events", len(got))
	}
}

// Cuts reach the client where they are asked for, whatever the writes of the reply.
func TestSplitAt(t *testing.T) {
	t.Parallel()
	for _, cuts := range [][]int{nil, {0}, {1}, {2, 4}, {6}, {3, 3, 5}, {9}, {5, 1}} {
		var got []string
		w := &recorder{header: make(http.Header), piece: func(s string) { got = append(got, s) }}
		req := newRequest(t.Context(), t, "POST", "/", "")
		pt.SplitAt(pt.Raw(200, nil, "abcdef"), cuts...)(w, req)
		if strings.Join(got, "") != "abcdef" {
			t.Errorf("%v: got %q", cuts, got)
		}
		at := 0
		var ends []int
		for _, piece := range got {
			at += len(piece)
			ends = append(ends, at)
		}
		for _, cut := range cuts {
			if cut > 0 && cut <= 6 && !slices.Contains(ends, cut) {
				t.Errorf("%v: pieces %q", cuts, got)
			}
		}
	}
}

// recorder tells each piece that was written between flushes.
type recorder struct {
	header http.Header
	piece  func(string)
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Flush()              {}
func (r *recorder) Write(b []byte) (int, error) {
	r.piece(string(b))
	return len(b), nil
}
