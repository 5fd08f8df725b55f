package hooks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
)

const canary = "sk-canary-7f3a"

func TestSnapshotHeaderRedacts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Helicone-Auth": true, "Ocp-Apim-Subscription-Key": true,
		"Authorization": true, "Proxy-Authorization": true, "X-Api-Key": true, "Api-Key": true,
		"X-Goog-Api-Key": true, "Cookie": true, "Set-Cookie": true, "Chatgpt-Account-Id": true,
		"X-Amz-Security-Token": true, "X-Client-Secret": true, "X-APIKEY": true, "X-Password": true,
		"x-api-key": true, "Cf-Access-Jwt-Assertion": true, "X-Forwarded-Client-Cert": true,
		"Content-Type": false, "X-Request-Id": false, "User-Agent": false, "Anthropic-Version": false,
		"Anthropic-Ratelimit-Input-Tokens-Remaining": false, "X-Ratelimit-Remaining-Tokens": false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hooks.SnapshotHeader(http.Header{name: {canary, canary}})
			want := map[bool]string{true: "[REDACTED]", false: canary}[want]
			if diff := cmp.Diff([]string{want, want}, h.Values(name)); diff != "" {
				t.Errorf("Values (-want +got):\n%s", diff)
			}
			if got := h.Value(strings.ToUpper(name)); got != want && http.CanonicalHeaderKey(name) == name {
				t.Errorf("Value in capitals = %q, want %q", got, want)
			}
		})
	}
}

func TestSnapshotHeaderCleansURLs(t *testing.T) {
	t.Parallel()
	h := hooks.SnapshotHeader(http.Header{
		"Location": {"http://host/callback?code=" + canary + "&lang=en"},
		"Referer":  {"http://u:" + canary + "@host/%zz"}, // cannot be parsed
	})
	if got, want := h.Value("Location"), "http://host/callback?code=[REDACTED]&lang=en"; got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
	if got, want := h.Value("Referer"), "[REDACTED]"; got != want {
		t.Errorf("Referer = %q, want %q", got, want)
	}
}

func TestHeaderIsASnapshot(t *testing.T) {
	t.Parallel()
	source := http.Header{"B": {"2"}, "A": {"1", "1b"}, "Authorization": {canary}}
	h := hooks.SnapshotHeader(source)
	source.Set("A", "changed")
	source["B"][0] = "changed"
	h.Values("A")[0] = "changed"

	var got []string
	for name, v := range h.All() {
		got = append(got, name+"="+v)
	}
	want := []string{"A=1", "A=1b", "Authorization=[REDACTED]", "B=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}
	if source.Get("Authorization") != canary {
		t.Error("redaction reached the request's own header")
	}
	if got := h.Len(); got != 3 {
		t.Errorf("Len = %d, want 3", got)
	}
	for range h.All() {
		break // All must honour it
	}
}

func TestHeaderPrintsRedacted(t *testing.T) {
	t.Parallel()
	h := hooks.SnapshotHeader(http.Header{"X-Api-Key": {canary}, "A": {"1"}})
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `{"A":["1"],"X-Api-Key":["[REDACTED]"]}`; got != want {
		t.Errorf("JSON = %s, want %s", got, want)
	}
	if s := fmt.Sprintf("%+v %#v %v", h, h, &h); strings.Contains(s, canary) {
		t.Errorf("printed header holds the credential: %s", s)
	}
}

func TestZeroHeader(t *testing.T) {
	t.Parallel()
	var h hooks.Header
	text, err := json.Marshal(h)
	if h.Value("A") != "" || h.Values("A") != nil || h.Len() != 0 || string(text) != "{}" || err != nil {
		t.Errorf("zero header is not empty: %q %v, JSON %s %v", h.Value("A"), h.Values("A"), text, err)
	}
}

func TestSafeURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "https://h/v1/x?a=1&b=2", "https://h/v1/x?a=1&b=2"},
		{"order and spelling stay", "https://h/?b=%20x&a=+&c", "https://h/?b=%20x&a=+&c"},
		{"user info", "https://u:p@h/x", "https://h/x"},
		{"fragment", "https://h/x#access_token=1", "https://h/x"},
		{"google key", "https://h/x?key=1&alt=sse", "https://h/x?key=[REDACTED]&alt=sse"},
		{"case", "https://h/x?API_KEY=1", "https://h/x?API_KEY=[REDACTED]"},
		{"encoded key", "https://h/x?%6bey=1", "https://h/x?%6bey=[REDACTED]"},
		{"undecodable key", "https://h/x?%zz=1", "https://h/x?%zz=[REDACTED]"},
		{"semicolon", "https://h/x?a=1;token=2", "https://h/x?a=1;token=[REDACTED]"},
		{"oauth", "https://h/cb?code=1&state=2", "https://h/cb?code=[REDACTED]&state=[REDACTED]"},
		{"signed", "https://h/x?X-Amz-Signature=1", "https://h/x?X-Amz-Signature=[REDACTED]"},
		{"twice", "https://h/x?sig=1&sig=2", "https://h/x?sig=[REDACTED]&sig=[REDACTED]"},
		{"opaque", "mailto:u:p@h", "mailto:[REDACTED]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := hooks.SafeURL(u); got != tt.want {
				t.Errorf("SafeURL(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if u.String() != tt.in {
				t.Errorf("SafeURL changed its argument to %q", u)
			}
		})
	}
	if got := hooks.SafeURL(nil); got != "" {
		t.Errorf("SafeURL(nil) = %q", got)
	}
}

func TestFieldWithoutAValueIsNoField(t *testing.T) {
	t.Parallel()
	h := hooks.SnapshotHeader(http.Header{"User-Agent": nil, "A": {}, "B": {"1", "2"}, "C": {""}})
	text, err := json.Marshal(h)
	if got, want := string(text), `{"B":["1","2"],"C":[""]}`; got != want || err != nil || h.Len() != 2 {
		t.Errorf("JSON = %s, %v, Len = %d; want %s and 2", got, err, h.Len(), want)
	}
	if v := h.Values("A"); v != nil {
		t.Errorf("Values = %v", v)
	}
}
