// Package embedding_test holds the programs of docs/embedding.md. Each block of code there is a part of one of these
// examples, or of a host in test/hosts: internal/gates compares.
package embedding_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hello = `{"model":"echo-1","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}`

// started returns a proxy that runs, of the echo provider alone.
func started(s ccproxy.Settings, options ...ccproxy.Option) *ccproxy.Proxy {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		panic(err)
	}
	proxy, err := reg.Build(s, options...)
	if err != nil {
		panic(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		panic(err)
	}
	return proxy
}

// say sends hello, with headers as name and value, and prints the status and the text of the answer.
func say(h http.Handler, path string, header ...string) {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(hello))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, textOf(w.Body.String()))
}

// textOf is the first text or message of an answer.
func textOf(body string) string {
	m := regexp.MustCompile(`"(?:text|message)":"([^"]*)"`).FindStringSubmatch(body)
	if m == nil {
		return strings.TrimSpace(body)
	}
	return m[1]
}

// post sends hello over a network, as a stream or not, and returns the status and the body.
func post(address string, stream bool) (status int, body string, err error) {
	text := strings.Replace(hello, "{", fmt.Sprintf(`{"stream":%t,`, stream), 1)
	resp, err := http.Post(address+"/echo/v1/messages", "application/json", strings.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// TestMiddlewareTable compares the page's table of middleware with what a proxy says.
func TestMiddlewareTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/embedding.md")
	if err != nil {
		t.Fatal(err)
	}
	proxy := started(ccproxy.Settings{})
	defer proxy.Shutdown(context.Background())
	var want, got []string
	for _, m := range proxy.Middleware() {
		want = append(want, fmt.Sprintf("%d %s", m.Priority, m.Name))
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (\\d+) \\| `(\\w+)` \\|").FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1]+" "+row[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table mismatch (-want +got):\n%s", diff)
	}
}
