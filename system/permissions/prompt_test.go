package permissions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

// screen is a terminal with a proxy behind it, in memory.
type screen struct {
	t       *testing.T
	events  *io.PipeWriter // of the current connection
	stdin   *io.PipeWriter
	out     bytes.Buffer
	answers []string
	status  int // of answers
	refuse  int // of the stream, if not zero
	cancel  context.CancelFunc
	done    chan error
}

// RoundTrip answers as a proxy does.
func (s *screen) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		s.answers = append(s.answers, strings.Split(r.URL.Path, "/")[2]+" "+string(body))
		resp.StatusCode = s.status
		resp.Body = io.NopCloser(strings.NewReader(`{"error":{"message":"somebody was faster"}}`))
		return resp, nil
	}
	if s.refuse != 0 {
		resp.StatusCode, resp.Body = s.refuse, http.NoBody
		return resp, nil
	}
	in, out := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = out.CloseWithError(r.Context().Err()) })
	s.events, resp.Body = out, in
	return resp, nil
}

// open runs the prompter in a bubble.
func open(t *testing.T, do func(s *screen)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stdin, typed := io.Pipe()
		s := &screen{t: t, stdin: typed, status: http.StatusOK, cancel: cancel, done: make(chan error, 1)}
		p := &prompter{
			client: &client{base: "http://proxy.test", http: &http.Client{Transport: s}}, in: stdin, out: &s.out,
		}
		go func() { s.done <- p.run(ctx) }()
		synctest.Wait()
		do(s)
		cancel()
		_ = typed.Close()
		if err := <-s.done; err != nil {
			t.Errorf("the end: %v", err)
		}
	})
}

func (s *screen) tell(kind string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.WriteString(s.events, "event: "+kind+"\ndata: "+string(raw)+"\n\n")
	synctest.Wait()
}

func (s *screen) request(id string) {
	now := time.Now()
	s.tell(eventRequest, newView(&Request{
		ID: id, Tool: "Bash\x1b[2J", Input: json.RawMessage("{\"command\":\"ls \u202e\"}"), Source: "mcp", Status: Pending,
		Created: now, Expires: now.Add(time.Minute),
	}))
}

// answer types a line after a while.
func (s *screen) answer(line string) {
	time.Sleep(settleTime)
	s.typeAtOnce(line)
}

func (s *screen) typeAtOnce(line string) {
	_, _ = io.WriteString(s.stdin, line+"\n")
	synctest.Wait()
}

func (s *screen) expect(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.answers); diff != "" {
		s.t.Errorf("answers mismatch (-want +got):\n%s\n%s", diff, s.out.String())
	}
}

const (
	yes = ` {"allowed":true}`
	no  = ` {"allowed":false}`
)

func TestPromptSeveral(t *testing.T) {
	t.Parallel()
	open(t, func(s *screen) {
		s.typeAtOnce("y") // before anything was asked
		s.request("a")
		s.request("b")
		s.answer("perhaps")
		s.expect()
		s.answer("y")
		s.expect("a" + yes)
		s.typeAtOnce("y") // the same key again: meant for the first
		s.expect("a" + yes)
		s.answer("No")
		s.expect("a"+yes, "b"+no)
		s.answer("y")
		s.expect("a"+yes, "b"+no)
		if text := s.out.String(); strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, `Bash\u001b[2J`) ||
			!strings.Contains(text, `ls \u202e`) {
			t.Errorf("the terminal is sent %q", text)
		}
	})
}

// TestPromptGone holds that a "y" for a question that has gone away does not allow the next one.
func TestPromptGone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		gone func(s *screen)
	}{
		{name: "answered by another", gone: func(s *screen) {
			s.tell(eventResolved, ending{ID: "a", Status: Allowed, Allowed: true, By: "ann"})
		}},
		{name: "expired", gone: func(s *screen) { s.tell(eventExpired, ending{ID: "a", Status: Expired}) }},
		{name: "ended while the connection was gone", gone: func(s *screen) {
			_ = s.events.Close()
			time.Sleep(longestWait)
			synctest.Wait()
			s.request("b")
			s.tell(eventPing, struct{}{})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			open(t, func(s *screen) {
				s.request("a")
				s.request("b")
				tt.gone(s)
				s.answer("y")
				s.answer("y1")
				s.expect()
				s.answer("y2")
				s.expect("b" + yes)
				s.request("c")
				s.answer("n")
				s.expect("b"+yes, "c"+no)
			})
		})
	}
}

func TestPromptSecond(t *testing.T) {
	t.Parallel()
	open(t, func(s *screen) {
		s.status = http.StatusConflict
		s.request("a")
		s.answer("y")
		if !strings.Contains(s.out.String(), "#1: somebody was faster") {
			t.Errorf("the terminal is sent %q", s.out.String())
		}
		s.status = http.StatusServiceUnavailable
		s.request("b")
		s.answer("y")
		s.status = http.StatusOK
		s.answer("y")
		s.expect("a"+yes, "b"+yes, "b"+yes)
	})
}

func TestPromptLongInput(t *testing.T) {
	t.Parallel()
	open(t, func(s *screen) {
		s.tell(eventRequest, newView(&Request{
			ID: "a", Tool: "Write", Input: json.RawMessage(`{"a":"` + strings.Repeat("x", maxShown) + `"}`),
			Status: Pending, Expires: time.Now().Add(time.Minute),
		}))
		s.answer("y") // of what was not shown as a whole
		s.expect()
		s.answer("n")
		s.expect("a" + no)
	})
}

func TestPromptRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, refuse: http.StatusForbidden}
		stdin, typed := io.Pipe()
		p := &prompter{
			client: &client{base: "http://proxy.test", http: &http.Client{Transport: s}}, in: stdin, out: &s.out,
		}
		err := p.run(t.Context())
		_ = typed.Close()
		if e, ok := errors.AsType[*statusError](err); !ok || e.status != http.StatusForbidden {
			t.Errorf("a key that may not answer: %v", err)
		}
	})
}

func TestWatchNeedsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	for name, in := range map[string]io.Reader{"pipe": strings.NewReader("y\n"), "null": null, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(Factory()); err != nil {
				t.Fatal(err)
			}
			proxy, err := reg.Build(ccproxy.Settings{
				Plugins: map[string]map[string]any{Name: {"enabled": true}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.StartOnly(t.Context(), Name); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = proxy.Shutdown(context.WithoutCancel(t.Context())) }()
			err = proxy.RunCommand(t.Context(), Name, "watch", ccproxy.Invocation{Stdin: in})
			if !errors.Is(err, errNoTerminal) {
				t.Errorf("%v, want %v", err, errNoTerminal)
			}
		})
	}
}

func TestWatchAddress(t *testing.T) {
	t.Parallel()
	key := ccproxy.NewSecret("secret")
	tests := []struct {
		name, url string
		key       ccproxy.Secret
		ok        bool
	}{
		{name: "this machine", url: "http://127.0.0.1:8000/llm/", key: key, ok: true},
		{name: "this machine by name", url: "http://localhost:8000", key: key, ok: true},
		{name: "another machine", url: "https://llm.example.com", key: key, ok: true},
		{name: "another machine in the clear", url: "http://llm.example.com", key: key},
		{name: "another machine without a key", url: "http://llm.example.com", ok: true},
		{name: "no address", url: "llm.example.com"},
		{name: "another scheme", url: "file:///etc/passwd"},
		{name: "password in it", url: "http://ann:secret@localhost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(tt.url, &Config{Key: tt.key})
			if (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}
