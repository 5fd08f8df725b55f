package requesttracer_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

func TestPlugin(t *testing.T) { //nolint:paralleltest // it counts goroutines
	table := plugintest.Table(map[string]any{"log_dir": filepath.Join(t.TempDir(), "traces")})
	plugintest.TestFactory(t, requesttracer.Factory(), table)
	plugintest.TestFactory(t, requesttracer.AliasFactory(), table)
}

// start runs a proxy of Claude with the tracer and returns it with what stops it.
func start(t *testing.T, tr http.RoundTripper, name string, table map[string]any) (p *ccproxy.Proxy, stop func()) {
	t.Helper()
	table["enabled"] = true
	var reg ccproxy.Registry
	if err := reg.Register(requesttracer.Factory(), requesttracer.AliasFactory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		name: table, claudeapi.Name: {"api_key": upstreamKey},
	}}, ccproxy.WithTransport(tr), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, func() {
		if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

const (
	upstreamKey = "upstream-canary-1234567890"
	clientKey   = "client-canary-0987654321"
	memberKey   = "member-canary-1122334455"
)

func ask(t *testing.T, h http.Handler, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+clientKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// traces are the files of a directory by what comes after the time in their names, without the number.
func traces(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", f.Name(), info.Mode().Perm())
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.SplitN(f.Name(), "_", 4)
		if len(parts) != 4 {
			t.Fatalf("file %s", f.Name())
		}
		found[parts[3]] += string(text)
	}
	return found
}

// doc is a document of a trace.
type doc struct {
	Stage, Method, URL, Error string
	Status, Call              int
	Header                    map[string][]string
	Body                      json.RawMessage
	Size                      int64  `json:"body_size"`
	Truncated                 bool   `json:"body_truncated"`
	Omitted                   string `json:"body_omitted"`
	Stream                    *struct {
		Format, Text string
		Complete     bool
		Calls        []struct{ ID, Name, Arguments string } `json:"tool_calls"`
		Usage        map[string]int
	}
}

func read(t *testing.T, text string) (d doc) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

const hello = `{"model":"claude-sonnet-4-5","max_tokens":9,"metadata":{"user_id":"u","api_key":"` + memberKey +
	`"},"messages":[{"role":"user","content":"a question"}]}`

func TestBothSides(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("an answer"))
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{
		"log_dir": dir, "exclude_headers": []string{"user-agent"},
	})
	w := ask(t, p, "/claude/v1/messages?api_key="+clientKey, hello)
	stop()
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v %v, want mode 0700", info, err)
	}
	found := traces(t, dir)
	want := map[string]string{
		"client_request": "a question", "provider_request": "a question",
		"client_response": "an answer", "provider_response": "an answer",
	}
	for stage, text := range want {
		if !strings.Contains(found[stage+".http"], text) {
			t.Errorf("%s.http has no %q:\n%s", stage, text, found[stage+".http"])
		}
		d := read(t, found[stage+".json"])
		if d.Stage != stage || !bytes.Contains(d.Body, []byte(text)) || !json.Valid(d.Body) || d.Truncated {
			t.Errorf("%s.json: %+v", stage, d)
		}
		if _, ok := d.Header["User-Agent"]; ok {
			t.Errorf("%s has the header that is to be left out", stage)
		}
	}
	if len(found) != 8 {
		t.Errorf("%d kinds of files, want 8", len(found))
	}
	for name, text := range found {
		for _, secret := range []string{upstreamKey, clientKey, memberKey} {
			if at := providertest.FindSecret(text, secret); at != "" {
				t.Errorf("%s has a secret (%s):\n%s", name, at, text)
			}
		}
	}
	d := read(t, found["provider_request.json"])
	if d.Call != 1 || d.URL != "https://api.anthropic.com/v1/messages" || d.Header["X-Api-Key"][0] != "[REDACTED]" {
		t.Errorf("provider_request: %+v", d)
	}
}

func TestStreamIsPutTogether(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"/claude/v1/messages": `{"model":"claude-sonnet-4-5","stream":true,"max_tokens":9,` +
			`"messages":[{"role":"user","content":"q"}]}`,
		"/claude/v1/chat/completions": `{"model":"claude-sonnet-4-5","stream":true,"stream_options":{"include_usage":true},` +
			`"messages":[{"role":"user","content":"q"}]}`,
		"/claude/v1/responses": `{"model":"claude-sonnet-4-5","stream":true,"input":"q"}`,
	}
	formats := map[string]string{
		"/claude/v1/messages": "anthropic.messages", "/claude/v1/chat/completions": "openai.chat_completions",
		"/claude/v1/responses": "openai.responses",
	}
	for path, body := range bodies {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "traces")
			p, stop := start(t, toolStream{}, requesttracer.Name, map[string]any{"log_dir": dir})
			w := ask(t, p, path, body)
			stop()
			found := traces(t, dir)
			for stage, format := range map[string]string{
				"client_response": formats[path], "provider_response": "anthropic.messages",
			} {
				d := read(t, found[stage+".json"])
				s := d.Stream
				if s == nil || len(s.Calls) != 1 {
					t.Fatalf("%s: nothing put together: %+v\n%s", stage, s, found[stage+".http"])
				}
				if s.Format != format || s.Text != "Héllo" || !s.Complete || s.Calls[0].Name != "look" ||
					s.Calls[0].Arguments != `{"q":"x"}` || s.Usage["output_tokens"] != 7 {
					t.Errorf("%s: %+v", stage, s)
				}
			}
			_, sent, _ := strings.Cut(found["client_response.http"], "\r\n\r\n")
			if diff := cmp.Diff(w.Body.String(), sent); diff != "" {
				t.Errorf("events (-sent +traced):\n%s", diff)
			}
		})
	}
}

// toolStream is an upstream that says something and calls a tool.
type toolStream struct{}

func (toolStream) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/event-stream")
	for _, data := range []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5",` +
			`"content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hé"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"llo"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"x\"}"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":7}}`,
		`{"type":"message_stop"}`,
	} {
		_, typ, _ := strings.Cut(data, `"type":"`)
		typ, _, _ = strings.Cut(typ, `"`)
		_, _ = w.WriteString("event: " + typ + "\ndata: " + data + "\n\n")
	}
	return w.Result(), nil
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		table map[string]any
		check func(t *testing.T, found map[string]string, dir string)
	}{
		{
			name: "body", table: map[string]any{"max_body_size": 40},
			check: func(t *testing.T, found map[string]string, _ string) {
				t.Helper()
				d := read(t, found["client_request.json"])
				if !d.Truncated || d.Size != int64(len(hello)) || !strings.Contains(found["client_request.http"], "[truncated: 40 of") {
					t.Errorf("%+v\n%s", d, found["client_request.http"])
				}
			},
		},
		{
			name: "memory", table: map[string]any{"max_memory": 1},
			check: func(t *testing.T, found map[string]string, _ string) {
				t.Helper()
				if d := read(t, found["client_request.json"]); !d.Truncated || d.Body != nil {
					t.Errorf("%+v", d)
				}
			},
		},
		{
			name: "number", table: map[string]any{"max_files": 3},
			check: func(t *testing.T, found map[string]string, dir string) {
				t.Helper()
				entries, _ := os.ReadDir(dir)
				if len(entries) != 4 { // and the stranger
					t.Errorf("%d files, want 3 and the one of somebody else", len(entries))
				}
				if found["client_response.json"] == "" {
					t.Error("the newest file is gone")
				}
			},
		},
		{
			name: "paths", table: map[string]any{"include_paths": []string{"/codex"}},
			check: func(t *testing.T, found map[string]string, _ string) {
				t.Helper()
				if len(found) != 1 {
					t.Errorf("%d files of a path that is not included", len(found))
				}
			},
		},
		{
			name: "excluded", table: map[string]any{"exclude_paths": []string{"/claude/v1"}},
			check: func(t *testing.T, found map[string]string, _ string) {
				t.Helper()
				if len(found) != 1 {
					t.Errorf("%d files of a path that is excluded", len(found))
				}
			},
		},
		{
			name: "sides", table: map[string]any{
				"log_client_request": false, "log_client_response": false, "log_provider_response": false,
			},
			check: func(t *testing.T, found map[string]string, _ string) {
				t.Helper()
				if len(found) != 3 || found["provider_request.json"] == "" {
					t.Errorf("%d files, want those of the provider's request", len(found))
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var up providertest.Upstream
			defer up.Close()
			up.Enqueue(providertest.Message("one"), providertest.Message("two"))
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			stranger := filepath.Join(dir, "0_not_ours_file")
			if err := os.WriteFile(stranger, []byte("keep me"), 0o600); err != nil {
				t.Fatal(err)
			}
			tt.table["log_dir"] = dir
			p, stop := start(t, up.Transport(), requesttracer.Name, tt.table)
			ask(t, p, "/claude/v1/messages", hello)
			stop()
			if _, err := os.Stat(stranger); err != nil {
				t.Error("a file of somebody else was removed")
			}
			tt.check(t, traces(t, dir), dir)
		})
	}
}

// answer is an upstream that answers with one body.
type answer struct{ body string }

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.WriteString(a.body)
	return w.Result(), nil
}

// TestEchoedCredentials holds that an upstream may repeat the key that it does not like.
func TestEchoedCredentials(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "traces")
	up := answer{body: `{"type":"error","error":{"type":"authentication_error","message":"bad key ` + upstreamKey + `"}}`}
	p, stop := start(t, up, requesttracer.Name, map[string]any{"log_dir": dir})
	ask(t, p, "/claude/v1/messages", hello)
	stop()
	text := traces(t, dir)["provider_response.http"]
	if !strings.Contains(text, "bad key [REDACTED]") || strings.Contains(text, upstreamKey) {
		t.Errorf("%s", text)
	}
}

// TestStreamIsNotHeldUp reads an event of a stream before its upstream has sent the next one.
func TestStreamIsNotHeldUp(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	p, stop := start(t, slowStream{next}, requesttracer.Name,
		map[string]any{"log_dir": filepath.Join(t.TempDir(), "traces")})
	defer stop()
	server := httptest.NewServer(p)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/claude/v1/messages",
		strings.NewReader(strings.Replace(hello, "{", `{"stream":true,`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n') // hangs if the proxy waits for more
	close(next)
	if err != nil || !strings.Contains(line, "message_start") {
		t.Errorf("%q %v", line, err)
	}
}

// slowStream is an upstream that waits after its first event.
type slowStream struct{ next chan struct{} }

func (s slowStream) RoundTrip(r *http.Request) (*http.Response, error) {
	whole, err := toolStream{}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(whole.Body)
	if err != nil {
		return nil, err
	}
	first, rest, _ := strings.Cut(string(text), "\n\n")
	in, out := io.Pipe()
	go func() {
		_, _ = io.WriteString(out, first+"\n\n")
		<-s.next
		_, _ = io.WriteString(out, rest)
		_ = out.Close()
	}()
	whole.Body = in
	return whole, nil
}

func TestAliasWritesRawHTTP(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("one"))
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Alias, map[string]any{"log_dir": dir})
	ask(t, p, "/claude/v1/messages", hello)
	stop()
	found := traces(t, dir)
	if len(found) != 4 || !strings.HasPrefix(found["client_request.http"], "POST /claude/v1/messages HTTP/1.1\r\n") {
		t.Errorf("%d files: %q", len(found), found["client_request.http"])
	}
}

func TestWithoutDirectory(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("one"))
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{})
	defer stop()
	if w := ask(t, p, "/claude/v1/messages", hello); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

// TestCutStream breaks an upstream's stream off.
func TestCutStream(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.CutAfter(400, providertest.Message("a long answer that is cut")))
	dir := filepath.Join(t.TempDir(), "traces")
	p, stop := start(t, up.Transport(), requesttracer.Name, map[string]any{"log_dir": dir})
	ask(t, p, "/claude/v1/messages", strings.Replace(hello, "{", `{"stream":true,`, 1))
	stop()
	found := traces(t, dir)
	for _, stage := range []string{"client_response", "provider_response"} {
		d := read(t, found[stage+".json"])
		if d.Stream == nil || d.Stream.Complete || d.Status != http.StatusOK || d.Error == "" {
			t.Errorf("%s: %+v, want an incomplete stream and why", stage, d)
		}
		head, _, _ := strings.Cut(found[stage+".http"], "\r\n\r\n")
		if !strings.HasSuffix(head, "\r\nX-Trace-Error: "+d.Error) {
			t.Errorf("%s.http, want %q at the end of its head:\n%s", stage, d.Error, head)
		}
	}
}

// TestSummaryHasNoCredentials holds that an upstream may repeat a key in any member of a stream.
func TestSummaryHasNoCredentials(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"msg_1", "claude-sonnet-4-5", "toolu_1", "look"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "traces")
			p, stop := start(t, echoStream{word}, requesttracer.Name, map[string]any{"log_dir": dir})
			ask(t, p, "/claude/v1/messages", strings.Replace(hello, "{", `{"stream":true,`, 1))
			stop()
			for name, text := range traces(t, dir) {
				if at := providertest.FindSecret(text, upstreamKey); at != "" {
					t.Errorf("%s has the key (%s):\n%s", name, at, text)
				}
			}
		})
	}
}

// echoStream is an upstream that has the key for a word.
type echoStream struct{ word string }

func (s echoStream) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := toolStream{}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), `"`+s.word+`"`, `"`+upstreamKey+`"`)))
	return resp, err
}
