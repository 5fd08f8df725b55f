package codex_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

const testKey = "sk-upstream-0123456789"

// chatGPT is a table of the plugin for the backend ChatGPT, with some more members.
func chatGPT(more map[string]any) map[string]any {
	table := map[string]any{"api_key": testKey, "backend": "chatgpt"}
	maps.Copy(table, more)
	return table
}

// start runs a proxy with the plugin and others in front of an upstream.
func start(
	t *testing.T, up *providertest.Upstream, settings ccproxy.Settings, others ...ccproxy.Factory,
) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(append(others, codex.Factory())...); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(settings, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(proxy.Shutdown(context.Background()), up.Close()); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func settings(table map[string]any) ccproxy.Settings {
	return ccproxy.Settings{Plugins: map[string]map[string]any{codex.Name: table}}
}

// upstream answers every request with the reply.
func upstream(reply providertest.Reply) *providertest.Upstream {
	return &providertest.Upstream{Handler: func(providertest.Request) providertest.Reply { return reply }}
}

// ask sends a request; headers are lines such as "Name: value".
func ask(t *testing.T, proxy http.Handler, method, path, headers, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Set(name, value)
	}
	proxy.ServeHTTP(w, r)
	return w
}

func post(t *testing.T, proxy http.Handler, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, proxy, http.MethodPost, path, "", body)
}

// textStream is how ChatGPT streams a text: without the output in the response that ends the stream.
func textStream(text string) providertest.Reply {
	return providertest.Stream(providertest.Bytes(textEvents("resp_1", text)))
}

func textEvents(id, text string) string {
	const message = `{"id":"msg_1","type":"message","status":"completed","role":"assistant",` +
		`"content":[{"type":"output_text","annotations":[],"text":"TEXT"}]}`
	events := strings.NewReplacer("ID", id, "TEXT", text).Replace(strings.Join([]string{
		`{"type":"response.created","sequence_number":0,"response":{"id":"ID","object":"response","created_at":1,` +
			`"status":"in_progress","model":"gpt-5.3-codex","output":[],"usage":null}}`,
		`{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":` +
			`{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}`,
		`{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,` +
			`"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}`,
		`{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,` +
			`"content_index":0,"delta":"TEXT"}`,
		`{"type":"response.output_text.done","sequence_number":4,"item_id":"msg_1","output_index":0,` +
			`"content_index":0,"text":"TEXT"}`,
		`{"type":"response.content_part.done","sequence_number":5,"item_id":"msg_1","output_index":0,` +
			`"content_index":0,"part":{"type":"output_text","annotations":[],"text":"TEXT"}}`,
		`{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":` + message + `}`,
		`{"type":"response.completed","sequence_number":7,"response":{"id":"ID","object":"response","created_at":1,` +
			`"status":"completed","model":"gpt-5.3-codex","output":[],"text":{"format":{"type":"text"},` +
			`"verbosity":"low"},"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5},` +
			`"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":23}}}`,
	}, "\n"))
	return asStream(events)
}

// asStream makes events of lines of data.
func asStream(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			kind, _, _ := strings.Cut(strings.TrimPrefix(line, `{"type":"`), `"`)
			b.WriteString("event: " + kind + "\ndata: " + line + "\n\n")
		}
	}
	return b.String()
}

// golden runs a test for each file of a directory of test data. What stands before the first section says which rule
// the case is about.
func golden(t *testing.T, dir string, run func(t *testing.T, c map[string]string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, name := map[string]string{}, ""
			for line := range strings.Lines(string(data)) {
				if n, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(n, " --\n") {
					name = strings.TrimSuffix(n, " --\n")
					continue
				}
				c[name] += line
			}
			if strings.TrimSpace(c[""]) == "" {
				t.Error("the case does not say which rule it is about")
			}
			for name := range c {
				c[name] = strings.TrimSpace(c[name])
			}
			run(t, c)
		})
	}
}
