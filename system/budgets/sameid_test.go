package budgets_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/system/budgets"
)

// Clients choose the ids of their requests. Two that run at a time under the same one are counted in the budgets of
// their own models all the same.
func TestSameID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		proxy := start(t, &slow{wait: time.Minute}, config(
			budgets.Limit{Name: "haiku", Models: []string{"claude-haiku-*"}, Period: "day", Tokens: 1000},
			budgets.Limit{Name: "opus", Models: []string{"claude-opus-*"}, Period: "day", Tokens: 1000},
		))
		defer stop(t, proxy)
		spent := func() map[string]int64 {
			synctest.Wait()
			out := make(map[string]int64)
			for _, b := range show(t, proxy, "") {
				out[b.Name] = b.Tokens
			}
			return out
		}
		var wg sync.WaitGroup
		for _, model := range []string{"claude-opus-4-5", "claude-haiku-4-5"} { // the first of them ends first
			wg.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/a/v1/messages",
					strings.NewReader(bodies(model, false)["/v1/messages"]))
				r.Header.Set("X-Request-Id", "the-same")
				proxy.ServeHTTP(httptest.NewRecorder(), r)
			})
			time.Sleep(10 * time.Second)
		}
		time.Sleep(45 * time.Second)
		if diff := cmp.Diff(map[string]int64{"opus": 15}, spent()); diff != "" {
			t.Errorf("after the first (-want +got):\n%s", diff)
		}
		wg.Wait()
		if diff := cmp.Diff(map[string]int64{"haiku": 15, "opus": 15}, spent()); diff != "" {
			t.Errorf("after both (-want +got):\n%s", diff)
		}
	})
}

// However a request says how much output it wants, that is reserved.
func TestReservesAll(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]string{
		"the usual":       `"max_tokens":300`,
		"a decoy":         `"max_completion_tokens":1,"max_tokens":300`,
		"another decoy":   `"max_output_tokens":1,"max_completion_tokens":300`,
		"with a fraction": `"max_tokens":300.0`,
		"several answers": `"max_tokens":100,"n":3`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				proxy := start(t, new(slow), config(budgets.Limit{Name: "b", Period: "day", Tokens: 300}))
				defer stop(t, proxy)
				w := httptest.NewRecorder()
				proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/c/v1/chat/completions",
					strings.NewReader(`{"model":"gpt-5","messages":[{"role":"user","content":"Hello"}],`+members+`}`)))
				if w.Code != http.StatusTooManyRequests {
					t.Errorf("%s: %d %s", members, w.Code, w.Body)
				}
			})
		})
	}
}
