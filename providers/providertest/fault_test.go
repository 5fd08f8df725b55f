package providertest_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	pt "github.com/ccproxy-go/ccproxy/providers/providertest"
)

const stop = `data: {"type":"message_stop"}`

// What a careful client finds of each fault, in memory and over TCP alike.
func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]outcome{
		"reset before the answer":  {err: syscall.ECONNRESET},
		"reset before the body":    {status: 200, err: syscall.ECONNRESET},
		"reset in the body":        {status: 200, err: syscall.ECONNRESET, body: `"content":[{"`},
		"cut in the body":          {status: 200, err: io.ErrUnexpectedEOF, body: `"content":[{"`},
		"cut in an event":          {status: 200, err: io.ErrUnexpectedEOF, body: `"index":0,"del`},
		"cut between events":       {status: 200, err: io.ErrUnexpectedEOF, body: "\"One \"}}\n\n"},
		"end in an event":          {status: 200, body: `"index":0,"del`},
		"end without message_stop": {status: 200, body: "{\"output_tokens\":3}}\n\n"},
		"error event first":        {status: 200, body: "\"message\":\"Overloaded\"}}\n\n"},
		"error event":              {status: 200, body: "\"message\":\"Overloaded\"}}\n\n"},
		"reset between events":     {status: 200, err: syscall.ECONNRESET, body: "\"One \"}}\n\n"},
		"error without an event":   {status: 200, body: "\"message\":\"The end\"}}\n\n"},
		"rate limit":               {status: 429, body: "\"request_id\":\"req_000000000000000000000001\"}"},
		"overloaded":               {status: 529, body: "\"request_id\":\"req_000000000000000000000001\"}"},
		"empty answer":             {status: 200},
		"empty stream":             {status: 200},
		"nothing but comments":     {status: 200, body: ": again\n\n"},
		"short of its length":      {status: 200, err: io.ErrUnexpectedEOF, body: `{"type":`},
		"event that is no JSON":    {status: 200, body: stop + "\n\n"},
		"event that is no UTF-8":   {status: 200, body: stop + "\n\n"},
		"second end":               {status: 200, body: stop + "\n\nevent: message_stop\n" + stop + "\n\n"},
		"unknown event":            {status: 200, body: stop + "\n\n"},
		"slow bytes":               {status: 200, body: stop + "\n\n"},
		"html 502":                 {status: 502, body: "</html>\n"},
		"html 200":                 {status: 200, body: "</html>\n"},
		"wrong content type":       {status: 200, body: stop + "\n\n"},
		"huge line":                {status: 200, body: stop + "\n\n"},
		"stall before the header":  {err: context.Canceled},
		"stall in the stream":      {status: 200, err: context.Canceled, body: "\"One \"}}\n\n"},
	}
	tests["error as it would be answered"] = tests["error without an event"]
	for _, fault := range pt.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			want, ok := tests[fault.Name]
			if !ok {
				t.Fatal("fault without an expectation")
			}
			for _, network := range []string{"memory", "tcp"} {
				got := provoke(t, network, fault, want)
				if !errors.Is(got.err, want.err) || (want.err == nil && got.err != nil) {
					t.Errorf("%s: error = %v, want %v", network, got.err, want.err)
				}
				// A reset over TCP may overtake what was sent before it.
				overtaken := network == "tcp" && want.err == syscall.ECONNRESET
				if !overtaken && (got.status != want.status || !strings.HasSuffix(got.body, want.body)) {
					t.Errorf("%s: got %d …%q", network, got.status, got.body[max(0, len(got.body)-80):])
				}
				if whole := strings.Contains(got.body, stop); whole != fault.Whole {
					t.Errorf("%s: Whole = %v, but message_stop came: %v", network, fault.Whole, whole)
				}
			}
		})
	}
}

// outcome is what a client found: the status, 0 without an answer, the end of the body and the error
// that ended it.
type outcome struct {
	status int
	body   string
	err    error
}

// provoke asks for one message and gives up on a silent upstream once it has nothing more to say.
func provoke(t *testing.T, network string, fault pt.Fault, want outcome) (got outcome) {
	t.Helper()
	up := newUpstream(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := newRequest(ctx, t, "POST", "/v1/messages", hello)
	client := up.Client()
	if network == "tcp" {
		server := httptest.NewServer(up)
		t.Cleanup(server.Close)
		client = server.Client()
		req.URL.Host = server.Listener.Addr().String()
	}
	up.Handler = func(pt.Request) pt.Reply {
		if fault.Silent && want.status == 0 {
			cancel()
		}
		return fault.Reply
	}
	res, err := client.Do(req)
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	got.status = res.StatusCode
	for buf := make([]byte, 64<<10); ; {
		n, err := res.Body.Read(buf)
		got.body += string(buf[:n])
		if fault.Silent && strings.HasSuffix(got.body, want.body) {
			cancel()
		}
		if err != nil {
			got.err = err
			break
		}
	}
	if got.err == io.EOF {
		got.err = nil
	}
	return got
}

func TestHugeLine(t *testing.T) {
	t.Parallel()
	const n = 3 << 20
	up := newUpstream(t)
	up.Enqueue(pt.HugeLine(n))
	_, body, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", helloStream))
	if err != nil {
		t.Fatal(err)
	}
	line := `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` +
		strings.Repeat("a", n) + "\"}}\n\n"
	if strings.Count(body, line) != 1 {
		t.Errorf("no line of %d letters in %d bytes", n, len(body))
	}
}

// The limit counts bytes of the body, and a body shorter than it is broken all the same.
func TestCutAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		k    int
		want string
	}{
		{"nothing", 0, ""},
		{"one byte", 1, "1"},
		{"at a write", 2, "12"},
		{"in a write", 3, "123"},
		{"at the end", 4, "1234"},
		{"beyond", 9, "1234"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t)
			up.Enqueue(pt.CutAfter(tt.k, pt.Stream(pt.Bytes("12"), pt.Bytes("34"))))
			res, body, err := do(t, up, newRequest(t.Context(), t, "POST", "/v1/messages", helloStream))
			if !errors.Is(err, io.ErrUnexpectedEOF) || res.StatusCode != 200 || body != tt.want {
				t.Errorf("got %v %q, %v; want %q and an unexpected end", res, body, err, tt.want)
			}
		})
	}
}
