package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNoRequestIsLost asks without a pause, plainly and by streams, while the proxy is swapped 50 times.
func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	s, err := newService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.routes())
	defer server.Close()
	stop := make(chan struct{})
	answered := make(chan string) // each client's first answer after a swap
	var clients sync.WaitGroup
	total := make([]int, 4)
	for i := range total {
		clients.Go(func() {
			for {
				text := ask(t, server, i%2 == 0)
				total[i]++
				select {
				case <-stop:
					return
				case answered <- text:
				default:
				}
			}
		})
	}
	const swaps = 50
	for n := range swaps {
		prefix := fmt.Sprintf("%d:", n)
		resp, err := server.Client().Post(server.URL+"/reload?prefix="+prefix, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "reloaded\n" || err != nil {
			t.Fatalf("reload: %d %s, %v", resp.StatusCode, body, err)
		}
		<-answered
		if text := ask(t, server, false); !strings.Contains(text, prefix+"hello") {
			t.Errorf("after swap %d the answer is %s", n, text)
		}
	}
	close(stop)
	clients.Wait()
	t.Logf("%d swaps, %v requests", swaps, total)
	if err := s.handle.Swap(context.Background(), nil); err != nil {
		t.Error(err)
	}
}

// ask returns a whole answer.
func ask(t *testing.T, server *httptest.Server, stream bool) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":"m","max_tokens":9,"stream":%t,"messages":[{"role":"user","content":"hello"}]}`, stream)
	resp, err := server.Client().Post(server.URL+"/llm/echo/v1/messages", "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	whole := strings.Contains(string(answer), "hello") &&
		(!stream || strings.HasSuffix(string(answer), "data: {\"type\":\"message_stop\"}\n\n"))
	if err != nil || resp.StatusCode != http.StatusOK || !whole {
		t.Errorf("a request is lost: %d %s, %v", resp.StatusCode, answer, err)
	}
	return string(answer)
}

// TestRefusedReload holds that web pages cannot ask for a reload.
func TestRefusedReload(t *testing.T) {
	t.Parallel()
	s, err := newService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := s.handle.Proxy()
	r := httptest.NewRequest(http.MethodPost, "/reload?prefix=x", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	s.routes().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || s.handle.Proxy() != before {
		t.Errorf("a page may reload: %d", w.Code)
	}
	if err := s.handle.Swap(context.Background(), nil); err != nil {
		t.Error(err)
	}
}
