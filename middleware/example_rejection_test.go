package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// plainText renders what is refused as a line of text, with a link for those who have no key.
func plainText() middleware.RejectFunc {
	return func(w http.ResponseWriter, _ *http.Request, err error) {
		rejected, ok := errors.AsType[*middleware.RejectError](err)
		if !ok {
			rejected = &middleware.RejectError{Status: http.StatusForbidden, Err: err}
		}
		if errors.Is(err, middleware.ErrNoKey) {
			w.Header().Set("Link", `</keys>; rel="help"`)
		}
		http.Error(w, rejected.Error(), rejected.Status)
	}
}

// A server that speaks plain text renders refusals in its own way, the same for all that refuse.
func ExampleRejectError() {
	reject := plainText()
	wrap := middleware.Chain(
		middleware.Entry{Name: "limits", Func: middleware.Limits(middleware.LimitOptions{MaxURLBytes: 20, Reject: reject})},
		middleware.Entry{Name: "no_keys", Func: middleware.APIKey(nil, middleware.APIKeyOptions{Reject: reject})},
	)
	handler := wrap(http.NotFoundHandler())

	for _, target := range []string{"/v1/models", "/v1/models?limit=100000"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		fmt.Print(w.Code, " ", w.Header().Get("Link"), " ", w.Body)
	}
	// Output:
	// 401 </keys>; rel="help" no API key: send one as Authorization: Bearer or as x-api-key
	// 414  request URL too long: at most 20 bytes
}

// authenticate looks for a key that did not come in a header.
func authenticate(keys *middleware.Keys, sent string) (middleware.Key, error) {
	return keys.Authenticate(http.Header{"Authorization": {"Bearer " + sent}})
}

// Keys check what arrives by other ways than through a handler, such as the first message of a WebSocket.
func ExampleKeys() {
	configured := struct{ Key middleware.Secret }{middleware.NewSecret("ccp-Zk3Qv81LmWx0TfRb7eHy")}
	keys, err := middleware.NewKeys(middleware.Key{Name: "ci", Value: configured.Key, Models: []string{"small"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("accepts", configured) // a log line is safe

	for _, sent := range []string{configured.Key.Reveal(), "ccp-guessed"} {
		key, err := authenticate(keys, sent)
		fmt.Printf("%q %q %v\n", key.Name, key.Models, err)
	}
	// Output:
	// accepts {[REDACTED]}
	// "ci" ["small"] <nil>
	// "" [] invalid API key
}

// A handler names the request in what it tells the client, so that the operator finds it in the log.
func ExampleRequestIDFrom() {
	handler := middleware.RequestID()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "upstream is away, tell support "+middleware.RequestIDFrom(r.Context()), http.StatusBadGateway)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Request-Id", "req-7")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output: upstream is away, tell support req-7
}
