package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
)

const (
	aliceKey = "ccp-4be1f7c09d23a856-alice"
	bobKey   = "ccp-97d2c3e85a41f60b-robert"
)

func twoKeys() ccproxy.Security {
	return ccproxy.Security{Keys: []ccproxy.APIKey{
		{Name: "alice", Value: ccproxy.NewSecret(aliceKey)}, {Name: "bob", Value: ccproxy.NewSecret(bobKey)},
	}}
}

// rig is a server with the plugin, below a prefix.
type rig struct {
	t      *testing.T
	proxy  *ccproxy.Proxy
	server *httptest.Server
	base   string
	feed   *feed
}

type setup struct {
	table    map[string]any // of the plugin
	security ccproxy.Security
	breakers ccproxy.Breakers
	tables   map[string]map[string]any // of others
	prefix   string
	wrap     func(http.Handler) http.Handler
	more     []ccproxy.Factory
}

func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := &rig{t: t, feed: new(feed)}
	var reg ccproxy.Registry
	err := reg.Register(append(s.more, dashboard.Factory(), claudeapi.Factory(), r.feed.factory())...)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]any{"enabled": true}
	maps.Copy(table, s.table)
	tables := map[string]map[string]any{dashboard.Name: table, claudeapi.Name: {"api_key": "sk-upstream-0123456789"}}
	maps.Copy(tables, s.tables)
	r.proxy, err = reg.Build(ccproxy.Settings{
		Plugins:  tables,
		Security: s.security, Breakers: s.breakers,
	}, ccproxy.WithStrictStart(), ccproxy.WithTransport(upstream{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler := r.proxy.Mount(s.prefix)
	if s.wrap != nil {
		handler = s.wrap(handler)
	}
	r.server = httptest.NewServer(handler)
	r.base = r.server.URL + strings.TrimRight(s.prefix, "/")
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		if err := r.proxy.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		r.server.Close()
	})
	return r
}

// do sends a request; header are names and values in turn.
func (r *rig) do(method, path, body string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := r.server.Client().Transport
	res, err := transport.RoundTrip(req) // follows nothing
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// status sends a request and returns the status of the answer alone.
func (r *rig) status(method, path string, header ...string) int {
	r.t.Helper()
	res := r.do(method, path, "", header...)
	_ = res.Body.Close()
	return res.StatusCode
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// figures is what the tests look at of /dashboard/data.
type figures struct {
	Range  string   `json:"range"`
	Ranges []string `json:"ranges"`
	Step   int64    `json:"step"`
	Points int      `json:"points"`
	Totals totals   `json:"totals"`
	Series []struct {
		Provider string `json:"provider"`
		Model    string `json:"model"`
		Totals   totals `json:"totals"`
		Points   struct {
			Requests []int64   `json:"requests"`
			Cost     []float64 `json:"cost"`
		} `json:"points"`
	} `json:"series"`
	Failures []request `json:"failures"`
	State    struct {
		Plugins []struct {
			Name   string `json:"name"`
			State  string `json:"state"`
			Health string `json:"health"`
			Output string `json:"output"`
		} `json:"plugins"`
		Accounts []struct {
			ID     string `json:"id"`
			State  string `json:"state"`
			Health string `json:"health"`
		} `json:"accounts"`
		Breakers []struct{ Provider, State string } `json:"breakers"`
		Pools    []struct {
			Provider string
			Accounts []struct{ Name, State string }
		} `json:"pools"`
	} `json:"state"`
	Problem  string `json:"problem"`
	Caller   string `json:"caller"`
	Session  bool   `json:"session"`
	Requests news   `json:"requests"`
}

type totals struct {
	Requests   int64   `json:"requests"`
	Failed     int64   `json:"failed"`
	Gone       int64   `json:"gone"`
	Input      int64   `json:"input"`
	Output     int64   `json:"output"`
	CacheRead  int64   `json:"cache_read"`
	CacheWrite int64   `json:"cache_write"`
	Unpriced   int64   `json:"unpriced"`
	Cost       float64 `json:"cost"`
}

type news struct {
	Seq     int64     `json:"seq"`
	Reset   bool      `json:"reset"`
	Ended   []request `json:"ended"`
	Running []struct {
		ID string `json:"id"`
	} `json:"running"`
}

type request struct {
	ID        string  `json:"id"`
	Endpoint  string  `json:"endpoint"`
	Format    string  `json:"format"`
	Provider  string  `json:"provider"`
	Model     string  `json:"model"`
	Caller    string  `json:"caller"`
	Streamed  bool    `json:"streamed"`
	Outcome   string  `json:"outcome"`
	Status    int     `json:"status"`
	ErrorType string  `json:"error_type"`
	Error     string  `json:"error"`
	Cost      float64 `json:"cost"`
}

// data asks for figures until they fit: events come a moment after the answers that they tell of.
func (r *rig) data(query string, fits func(*figures) bool, header ...string) *figures {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		res := r.do(http.MethodGet, "/dashboard/data"+query, "", header...)
		body := text(r.t, res)
		f := new(figures)
		if res.StatusCode != http.StatusOK || json.Unmarshal([]byte(body), f) != nil {
			r.t.Fatalf("/dashboard/data: %d %s", res.StatusCode, body)
		}
		if fits == nil || fits(f) {
			return f
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the figures do not come: %s", body)
		}
	}
}

// stream is what /dashboard/events sends.
type stream struct {
	t     *testing.T
	lines *bufio.Reader
	body  io.Closer
}

func (r *rig) events(query string, header ...string) *stream {
	r.t.Helper()
	res := r.do(http.MethodGet, "/dashboard/events"+query, "", header...)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		r.t.Fatalf("/dashboard/events: %d %v", res.StatusCode, res.Header)
	}
	return &stream{r.t, bufio.NewReader(res.Body), res.Body}
}

// next returns the next event of a type; it fails with io.EOF at the end.
func (s *stream) next(kind string, into any) error {
	s.t.Helper()
	wanted := false
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\n")
		if got, ok := strings.CutPrefix(line, "event: "); ok {
			wanted = got == kind
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && wanted {
			return json.Unmarshal([]byte(data), into)
		}
	}
}

// feed is a plugin that knows prices, and emits what a test wants.
type feed struct{ pc *ccproxy.PluginContext }

func (f *feed) factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "feed", Provides: []string{"pricing"}},
		func() ccproxy.Plugin { return f })
}

func (f *feed) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	f.pc = pc
	return pc.Provide("pricing", f)
}

func (*feed) Shutdown(context.Context) error { return nil }

var errNoPrice = errors.New("no price")

// Cost makes each token of output a cent.
func (*feed) Cost(u *hooks.Usage, models ...string) (int64, error) {
	for _, m := range models {
		if strings.HasPrefix(m, "claude-free") {
			return 0, errNoPrice
		}
	}
	return u.OutputTokens * 10_000_000_000, nil
}

func (f *feed) emit(p hooks.Payload) { f.pc.Hooks.Emit(hooks.Context{Time: time.Now(), Payload: p}) }

// upstream answers each call with 10 tokens of input, 3 and 2 of caches, and 5 of output. It refuses the model
// "claude-bad".
type upstream struct{}

func (upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct {
		Model  string
		Stream bool
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if asked.Model == "claude-bad" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`)
		return w.Result(), nil
	}
	const usage = `"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":2`
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":%q,"stop_reason":"end_turn",`+
			`"content":[{"type":"text","text":"hello"}],"usage":{%s,"output_tokens":5}}`, asked.Model, usage)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(kind, rest string) { fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, rest) }
	event("message_start", fmt.Sprintf(`,"message":{"id":"m","type":"message","role":"assistant","model":%q,`+
		`"content":[],"usage":{%s,"output_tokens":1}}`, asked.Model, usage))
	event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"hello"}`)
	event("content_block_stop", `,"index":0`)
	event("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}`)
	event("message_stop", "")
	return w.Result(), nil
}

// dialects are what clients speak.
func dialects() map[string]string {
	return map[string]string{
		"/claude/v1/messages":         `{"model":%q,"stream":%t,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
		"/claude/v1/chat/completions": `{"model":%q,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`,
		"/claude/v1/responses":        `{"model":%q,"stream":%t,"input":"hi"}`,
	}
}

// ask sends a request for a model and reads the answer to its end.
func (r *rig) ask(path, model string, stream bool, header ...string) {
	r.t.Helper()
	body := fmt.Sprintf(dialects()[path], model, stream)
	text(r.t, r.do(http.MethodPost, path, body, append(header, "Content-Type", "application/json")...))
}
