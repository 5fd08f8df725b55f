package providertest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	pt "github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	const (
		started, completed, failed = hooks.EventRequestStarted, hooks.EventRequestCompleted, hooks.EventRequestFailed
		opens, chunk, ends         = hooks.EventProviderStreamStart, hooks.EventProviderStreamChunk, hooks.EventProviderStreamEnd
	)
	tests := []struct {
		name   string
		events []hooks.Event
		ok     bool
	}{
		{"nothing", nil, true},
		{"whole answer", []hooks.Event{started, completed}, true},
		{"stream", []hooks.Event{started, opens, chunk, chunk, ends, completed}, true},
		{"two attempts", []hooks.Event{started, opens, ends, opens, chunk, ends, failed}, true},
		{"no end", []hooks.Event{started}, false},
		{"no start", []hooks.Event{completed}, false},
		{"two ends", []hooks.Event{started, completed, failed}, false},
		{"twice the end", []hooks.Event{started, failed, failed}, false},
		{"stream without an end", []hooks.Event{started, opens, chunk, failed}, false},
		{"stream that ends twice", []hooks.Event{started, opens, ends, ends, failed}, false},
		{"stream in a stream", []hooks.Event{started, opens, opens, ends, failed}, false},
		{"chunk outside", []hooks.Event{started, opens, ends, chunk, completed}, false},
		{"stream after the end", []hooks.Event{started, completed, opens, ends}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l pt.Ledger
			for _, e := range tt.events {
				if err := l.Handle(t.Context(), &hooks.Context{RequestID: "id", Event: e}); err != nil {
					t.Error(err)
				}
			}
			err := l.Check()
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, pt.ErrLedger) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// A canary is found in each of its encodings, and not where it is not.
func TestCanary(t *testing.T) {
	t.Parallel()
	secret := pt.Canary("x")
	asJSON, err := json.Marshal(map[string]string{"k": secret})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		"raw": "a" + secret + "b", "base64": base64.StdEncoding.EncodeToString([]byte("u:" + secret + "!")),
		"URL": url.Values{"k": {secret}}.Encode(), "hex": fmt.Sprintf("%x", secret), "JSON": string(asJSON),
		"split": secret[:len(secret)/2] + "\n",
	}
	if len(pt.Encodings(secret)) != len(texts) {
		t.Errorf("%d encodings", len(pt.Encodings(secret)))
	}
	for encoding, text := range texts {
		if pt.FindSecret(text, secret) == "" {
			t.Errorf("%s is not found in %q", encoding, text)
		}
		if found := pt.FindSecret(text, pt.Canary("y")); found != "" {
			t.Errorf("another is found in %s", found)
		}
	}
}

// Hosts pass on what a handler writes, and hold back or show what they say they do.
func TestHosts(t *testing.T) {
	t.Parallel()
	for _, host := range pt.Hosts() {
		t.Run(host.Name, func(t *testing.T) {
			t.Parallel()
			flushed := false
			next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Set", "1")
				w.WriteHeader(http.StatusAccepted)
				_, _ = fmt.Fprint(w, strings.Repeat("0123456789", 10))
				flushed = http.NewResponseController(w).Flush() == nil
			})
			rec := httptest.NewRecorder()
			host.Wrap(next).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			if rec.Code != http.StatusAccepted || rec.Header().Get("X-Set") != "1" || rec.Body.Len() != 100 {
				t.Errorf("got %d %v %q", rec.Code, rec.Header(), rec.Body)
			}
			if flushed == host.Whole {
				t.Errorf("flushed: %v, Whole = %v", flushed, host.Whole)
			}
		})
	}
}
