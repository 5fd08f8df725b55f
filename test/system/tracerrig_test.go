package system

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

// What nobody may find in a file. None of them looks like the key of a service that is known.
const (
	upstreamCanary = "upstream.canary.0f3a9c"
	clientCanary   = "client.canary.77be21"
	cookieCanary   = "cookie.canary.c41d08"
	queryCanary    = "query.canary.5520aa"
	answerCanary   = "answer.canary.e9b163"
)

func canaries() []string {
	return []string{upstreamCanary, clientCanary, cookieCanary, queryCanary, answerCanary}
}

// told is a request and its answer as one side has seen it.
type told struct {
	request, answer string
	status          int
}

// witness is an upstream that remembers what it was sent and has answered, call by call.
type witness struct {
	inner *script

	mu    sync.Mutex
	calls map[int][]*told // by the numbers of plans
}

func newWitness() *witness { return &witness{inner: newScript(), calls: make(map[int][]*told)} }

// of are the calls for a plan so far.
func (s *witness) of(n int) []*told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[n])
}

// ServeHTTP implements [http.Handler].
func (s *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	found := s.inner.planned.FindSubmatch(body)
	if err != nil || found == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	n, _ := strconv.Atoi(string(found[1]))
	call := &told{request: string(body), status: http.StatusOK}
	s.mu.Lock()
	s.calls[n] = append(s.calls[n], call)
	s.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.Header().Set("Set-Cookie", "session="+answerCanary)
	w.Header().Set("X-Echo", "you are "+upstreamCanary)
	s.inner.ServeHTTP(&witnessed{ResponseWriter: w, call: call}, r)
}

// witnessed remembers an answer. It is read when the exchange is over.
type witnessed struct {
	http.ResponseWriter

	call *told
}

// Unwrap lets http.ResponseController reach the inner writer.
func (w *witnessed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *witnessed) WriteHeader(status int) {
	w.call.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *witnessed) Write(b []byte) (int, error) {
	w.call.answer += string(b)
	return w.ResponseWriter.Write(b)
}

// journal is a log that many write to.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// lines are those that have all the words.
func (j *journal) lines(words ...string) (found []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
next:
	for line := range strings.Lines(j.text.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// tracerRig is a proxy that writes files of what it does, between clients and an upstream.
type tracerRig struct {
	t               *testing.T
	name            string // of the tracer
	traces, scripts string // directories
	proxy           *ccproxy.Proxy
	eye             *observer
	log             journal
	witness         *witness
	upstream, front *memoryServer
	client          *http.Client

	mu  sync.Mutex
	got map[int]*told // what clients have seen, by the numbers of plans
}

// startTracer starts a proxy whose tracer goes by a name. The tables of both plugins are changed by limits.
func startTracer(t *testing.T, name string, limits map[string]any) *tracerRig {
	t.Helper()
	r := &tracerRig{t: t, name: name, witness: newWitness(), got: make(map[int]*told)}
	r.upstream = listenInMemory(r.witness)
	root := t.TempDir()
	r.traces, r.scripts = filepath.Join(root, "traces"), filepath.Join(root, "scripts")
	r.proxy, r.eye = buildTracer(t, "http://upstream.test", tables{
		name:               tracerTable(r.traces, limits),
		commandreplay.Name: tracerTable(r.scripts, limits),
	}, &r.log, ccproxy.WithTransport(r.upstream.transport))
	r.front = listenInMemory(r.proxy)
	r.client = &http.Client{Transport: r.front.transport}
	return r
}

func tracerTable(dir string, limits map[string]any) map[string]any {
	table := map[string]any{"enabled": true, "log_dir": dir, "max_files": 5000}
	maps.Copy(table, limits)
	return table
}

// buildTracer makes and starts a proxy with both plugins, as far as tables turn them on.
func buildTracer(
	t *testing.T, address string, plugins tables, log io.Writer, opts ...ccproxy.Option,
) (*ccproxy.Proxy, *observer) {
	t.Helper()
	eye := new(observer)
	var reg ccproxy.Registry
	if err := reg.Register(append(providerPlugins(), requesttracer.Factory(), requesttracer.AliasFactory(),
		commandreplay.Factory(), ccproxy.NewFactory(ccproxy.Manifest{Name: "observer"},
			func() ccproxy.Plugin { return eye }))...); err != nil {
		t.Fatal(err)
	}
	all := providerTables(address).with(plugins)
	replaceKeys(all)
	proxy, err := reg.Build(ccproxy.Settings{
		Plugins: all,
		Retries: ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: 1, BaseDelay: backoff, Budget: 1}},
	}, append(opts, ccproxy.WithStrictStart(), ccproxy.WithLogger(slog.New(slog.NewTextHandler(log, nil))))...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy, eye
}

// replaceKeys puts the canary wherever a table has a key of an upstream.
func replaceKeys(table any) {
	switch table := table.(type) {
	case tables:
		for _, inner := range table {
			replaceKeys(inner)
		}
	case map[string]any:
		for key, inner := range table {
			if key == "api_key" {
				table[key] = upstreamCanary
			}
			replaceKeys(inner)
		}
	}
}

func (r *tracerRig) stop() {
	if err := r.proxy.Shutdown(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Error(err)
	}
	r.front.close()
	r.upstream.close()
}

// asked is the body of a plan's request. Some repeat a key, as one does who asks what is wrong with it.
func asked(p plan) string {
	key := map[int]string{3: upstreamCanary, 5: clientCanary}[p.n%7]
	if key == "" {
		return p.body()
	}
	return strings.Replace(p.body(), "plan-", "why is "+key+" refused? plan-", 1)
}

// kept is what a file may have of a text.
func kept(text string) string {
	return strings.NewReplacer(upstreamCanary, "[REDACTED]", clientCanary, "[REDACTED]").Replace(text)
}

// newTracerRequest is a plan's request, with credentials in each place that there is for them.
func newTracerRequest(t *testing.T, address string, p plan) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		address+"/"+p.upstream.provider()+p.client.route()+"?api_key="+queryCanary, strings.NewReader(asked(p)))
	if err != nil {
		t.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", p.id())
	req.Header.Set("Authorization", "Bearer "+clientCanary)
	req.Header.Set("Cookie", "session="+cookieCanary)
	return req
}

// ask sends the request of a plan and keeps what comes back.
func (r *tracerRig) ask(p plan) {
	req := newTracerRequest(r.t, "http://localhost", p)
	if req == nil {
		return
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Errorf("%s: %v", p.id(), err)
		return
	}
	defer resp.Body.Close()
	var seen strings.Builder
	buf := make([]byte, 512)
	for p.ending != canceled || !strings.Contains(seen.String(), "Hello") {
		n, err := resp.Body.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			break // a stream that was cut has no end
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[p.n] = &told{request: asked(p), answer: seen.String(), status: resp.StatusCode}
}

// askAll sends the plans from one number to before another.
func (r *tracerRig) askAll(from, to int) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for n := range next {
				r.ask(newPlan(n))
			}
		})
	}
	for n := from; n < to; n++ {
		next <- n
	}
	close(next)
	wg.Wait()
}

// compareAnswers holds that clients got what was planned for them, whatever became of the files.
func (r *tracerRig) compareAnswers(from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		p, got := newPlan(n), r.got[n]
		want, word := http.StatusOK, "Hello"
		if p.ending == refused {
			want, word = http.StatusBadRequest, "no"
		}
		if got == nil || got.status != want || !strings.Contains(got.answer, word) {
			r.t.Errorf("%s (%d): %+v, want %d and %q", p.id(), p.ending, got, want, word)
		}
	}
}
