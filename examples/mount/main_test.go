package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandler(t *testing.T) {
	t.Parallel()
	handler, shutdown, err := newHandler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"model":"echo-1","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		return w
	}
	if w := ask("/llm/echo/v1/messages"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"text":"hello"`) {
		t.Errorf("below the mount: %d %s", w.Code, w.Body)
	}
	if w := ask("/echo/v1/messages"); w.Code != http.StatusNotFound || strings.HasPrefix(w.Body.String(), "{") {
		t.Errorf("outside of the mount: %d %s, want the host's own 404", w.Code, w.Body)
	}
	if err := shutdown(context.Background()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if w := ask("/llm/echo/v1/messages"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("after shutdown: %d, want 503", w.Code)
	}
}
