package middleware_test

import (
	"net/http"
	"testing"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// TestGuardsDoNotAllocate holds what every request of a program pays.
func TestGuardsDoNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun forbids it
	header := manyHeaders(20)
	header.Set("Authorization", "Bearer "+aliceKey)
	r := request(http.MethodPost, "127.0.0.1:8000", header)
	handler := middleware.Limits(middleware.LimitOptions{})(
		middleware.Guard(middleware.GuardOptions{Origins: []string{"https://*.example.com"}})(
			middleware.APIKey(twoKeys(t), middleware.APIKeyOptions{})(http.HandlerFunc(quiet))))
	var w http.ResponseWriter = bareWriter{http.Header{}}
	// The least of many: the race detector makes a sync.Pool forget at random.
	least := testing.AllocsPerRun(1, func() { handler.ServeHTTP(w, r) })
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, func() { handler.ServeHTTP(w, r) }))
	}
	if least > 0 {
		t.Errorf("%v allocations a request, want none", least)
	}
}
