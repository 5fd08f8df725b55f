package ccproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// faultRig is a proxy in front of an upstream that breaks, with all that leaves it. It lives in a synctest bubble.
type faultRig struct {
	upstream providertest.Upstream
	ledger   providertest.Ledger
	log      logged
	secret   string
	host     *host
	proxy    *ccproxy.Proxy
}

// logged is what a proxy has logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newFaultRig starts a proxy to one upstream of a format.
func newFaultRig(t *testing.T, upstream adapters.Format, http2 bool) *faultRig {
	t.Helper()
	r := &faultRig{secret: providertest.Canary("key")}
	t.Cleanup(func() {
		if err := r.upstream.Close(); err != nil {
			t.Errorf("close upstream: %v", err)
		}
	})
	transport := r.upstream.Transport()
	if http2 {
		transport = r.upstream.HTTP2Transport()
	}
	watcher := ccproxy.Manifest{Name: "watcher", Hooks: []ccproxy.HookSpec{{
		New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return &r.ledger, nil },
	}}}
	var reg ccproxy.Registry
	err := reg.Register(ccproxy.NewFactory(watcher, nil), providers.New(ccproxy.Manifest{Name: "up"}, providers.Upstream{
		BaseURL: "https://up.example", Formats: []adapters.Format{upstream},
		Credentials: providers.BearerKey(ccproxy.NewSecret(r.secret)), ModelsPath: "-",
	}))
	if err != nil {
		t.Fatal(err)
	}
	// A provider that takes a second for each byte may be silent for as long as the longest event.
	settings := ccproxy.Settings{Limits: ccproxy.Limits{EventBytes: 1 << 20, StreamIdle: time.Hour}}
	r.proxy, err = reg.Build(settings, ccproxy.WithTransport(transport), ccproxy.WithStrictStart(),
		ccproxy.WithLogger(slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.proxy.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	r.host = newHost(t, r.proxy, false)
	return r
}

// streamAsk is a request for a stream in a format, at the rig's provider.
func streamAsk(f adapters.Format) (path, body string) {
	switch f {
	case adapters.OpenAIChatCompletions:
		return "/up/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	case adapters.OpenAIResponses:
		return "/up/v1/responses", `{"model":"m","stream":true,"input":"Hi"}`
	default:
		return "/up/v1/messages", `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	}
}

// Every fault, in every phase of a stream, between clients and upstreams of all formats: the client is told once, in its
// own format, and never of a success that was none; the upstream is let go at once; what hooks are told balances; no
// secret gets out; and nothing stays behind, or else the bubble does not end.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	var cases []faultCase
	for _, client := range providertest.Formats() {
		for _, upstream := range providertest.Formats() {
			for _, phase := range providertest.Phases() {
				for _, fault := range providertest.StreamFaults(upstream, phase) {
					cases = append(cases, faultCase{fault, client, upstream, phase, fault.HTTP2})
					if client == upstream && !fault.HTTP2 {
						cases = append(cases, faultCase{fault, client, upstream, phase, true})
					}
				}
			}
		}
	}
	if len(cases) < 3*3*5*24 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, c.check)
		})
	}
}

// faultCase is what happens to whom.
type faultCase struct {
	providertest.Fault

	client, upstream adapters.Format
	phase            providertest.Phase
	http2            bool // between the proxy and the upstream
}

func (c faultCase) String() string {
	name := fmt.Sprintf("%s from %s/%s/%s", c.client, c.upstream, c.Name, c.phase)
	if c.http2 {
		name += " over HTTP/2"
	}
	return name
}

func (c faultCase) check(t *testing.T) {
	t.Helper()
	r := newFaultRig(t, c.upstream, c.http2)
	c.Inject(&r.upstream)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
	defer cancel()
	path, ask := streamAsk(c.client)
	status, body, err := askAt(ctx, r.host, path, ask)
	synctest.Wait()
	if err := c.Check(c.client, status, body, err); err != nil {
		t.Error(err)
	}
	c.checkHarmless(t, body)
	if n := r.upstream.Active(); n != 0 {
		t.Errorf("the upstream still answers %d requests", n)
	}
	for _, req := range r.upstream.Requests() {
		if req.Host != "up.example" {
			t.Errorf("the proxy went to %s", req.Host)
		}
	}
	r.checkLedger(t, status == http.StatusOK && providertest.EndingOf(c.client, body).Successes == 1)
	for place, text := range map[string]string{"answer": body, "log": r.log.String()} {
		if found := providertest.FindSecret(text, r.secret); found != "" {
			t.Errorf("the %s holds the key: %s", place, found)
		}
	}
}

// checkHarmless checks that a client gets all of an answer in which nothing is missing and nothing is false.
func (c faultCase) checkHarmless(t *testing.T, body string) {
	t.Helper()
	harmless := c.Whole && (c.HTTP2 || !c.http2) // over HTTP/2 some faults are others
	switch c.Name {
	case "no UTF-8":
		harmless = harmless && c.phase == providertest.BeforeHeaders // where it is in a header
	case "no JSON", "second end", "end too early":
		harmless = false
	case "wrong content type", "wrong length":
		harmless = harmless && c.phase == providertest.BeforeHeaders
	}
	if e := providertest.EndingOf(c.client, body); harmless && (e.Successes != 1 || e.Text != "One two three.") {
		t.Errorf("the client got %+v: %q", e, body[max(0, len(body)-400):])
	}
}

// checkLedger checks that hooks were told of one request, and of its end what the client saw of it.
func (r *faultRig) checkLedger(t *testing.T, success bool) {
	t.Helper()
	if err := r.ledger.Check(); err != nil {
		t.Error(err)
	}
	ends := r.ledger.Ends()
	if len(ends) != 1 {
		t.Fatalf("%d requests have ended: %v", len(ends), ends)
	}
	switch end := ends[0].(type) {
	case *hooks.RequestCompleted:
		if !success {
			t.Errorf("request.completed: %+v", end)
		}
	case *hooks.RequestFailed:
		if success || end.ClientGone {
			t.Errorf("request.failed: %+v", end)
		}
		if found := providertest.FindSecret(fmt.Sprintf("%+v", end), r.secret); found != "" {
			t.Errorf("request.failed holds the key: %s", found)
		}
	}
	if strings.Contains(r.log.String(), "panic") {
		t.Errorf("log: %s", &r.log)
	}
}
