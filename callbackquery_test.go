package ccproxy_test

import (
	"net/url"
	"strings"
	"testing"
)

// What an authorization server sends to a callback is in no log and in nothing that hooks are told, whatever the
// parameter, and whether the login is one that somebody waits for or not.
func TestCallbackTellsNothing(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(url.Values){
		"code":              func(q url.Values) { q.Set("code", "canary-1") },
		"issuer":            func(q url.Values) { q.Set("iss", "https://canary.example") },
		"error":             func(q url.Values) { q.Del("code"); q.Set("error", "canary-2") },
		"error like a code": func(q url.Values) { q.Del("code"); q.Set("error", "SK.canary-3") },
		"description": func(q url.Values) {
			q.Del("code")
			q.Set("error", "server_error")
			q.Set("error_description", "canary me@x")
		},
		"error address": func(q url.Values) { q.Del("code"); q.Set("error", "server_error"); q.Set("error_uri", "http://canary") },
		"session state": func(q url.Values) { q.Set("session_state", "canary-4") },
		"no login":      func(q url.Values) { q.Set("state", "canary-5"); q.Set("other", "canary-6") },
		"bad escape":    func(q url.Values) { q.Set("x", "canary-7") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLoginRig(t, loginSetup{})
			req := r.begin(t, "idp", nil).request(edit)
			if name == "bad escape" {
				req.URL.RawQuery += "&canary=%zz"
			}
			rec := r.serve(req)
			if text, _ := r.told(t); strings.Contains(strings.ToLower(text), "canary") || strings.Contains(rec.Body.String(), "canary") {
				t.Errorf("%d %s, told: %s", rec.Code, rec.Body, text)
			}
		})
	}
}
