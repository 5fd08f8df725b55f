package ccproxy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// leakCanaries are headers that concern one side alone, whoever sends them.
func leakCanaries() []string {
	return []string{
		"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Proxy-Authorization", "Proxy-Authenticate", "Cookie", "Set-Cookie",
		"Www-Authenticate", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Client-Cert", "X-Real-Ip", "Cf-Access-Jwt-Assertion",
		"Sec-Websocket-Key", "Idempotency-Key", "X-Idempotency-Key", "Access-Control-Allow-Origin", "Proxy-Connection", "Http2-Settings",
	}
}

// aliases are spellings of a header's name. Servers that make variables of headers take all of them for the same.
func aliases(name string) []string {
	lower, upper := strings.ToLower(name), strings.ToUpper(name)
	with := func(name, sep string) string { return strings.ReplaceAll(name, "-", sep) }
	last := func(name, sep string) string {
		i := strings.LastIndex(name, "-")
		if i < 0 {
			return name + sep
		}
		return name[:i] + sep + name[i+1:]
	}
	first := func(name, sep string) string {
		if !strings.Contains(name, "-") {
			return sep + name
		}
		return strings.Replace(name, "-", sep, 1)
	}
	odd := []byte(lower)
	for i := 1; i < len(odd); i += 2 {
		odd[i] = upper[i]
	}
	return []string{
		name, lower, upper, string(odd), with(name, "_"), with(lower, "_"), with(upper, "_"), with(string(odd), "_"), with(name, "."),
		with(lower, "."), with(upper, "."), first(name, "_"), first(lower, "."), last(name, "_"), last(upper, "."), first(upper, "_"),
		with(name, "__"), with(lower, "_."), name + "_", "_" + lower,
	}
}

// connections are Connection headers that name a header, in every way in which they can be written.
func connections(named string) [][]string {
	lower, upper := strings.ToLower(named), strings.ToUpper(named)
	list := [][]string{
		{named},
		{lower},
		{upper},
		{" " + named + " "},
		{"\t" + named + "\t"},
		{"," + named},
		{named + ","},
		{",, ," + named + ",,"},
		{"close", named},
		{named, "close"},
		{"", named},
		{named, ""},
		{named, named},
		{lower, upper},
		{"close," + named + ",te"},
		{"te, trailers, " + named},
		{named + ", Connection"},
		{"Connection, " + named},
		{named + ", Upgrade"},
		{named + ", Transfer-Encoding"},
	}
	for _, own := range []string{
		"x-api-key", "X-Api-Key", "authorization", "Authorization", "content-type", "Content-Length", "host", "Host", "user-agent",
		"Accept-Encoding", "anthropic-version", "Anthropic-Beta", "x-request-id", "X-REQUEST-ID", "request-id", "retry-after",
	} {
		list = append(list, []string{named + ", " + own})
	}
	return append(list, []string{"keep-alive", " ," + lower}, []string{upper + "\t,\tclose"}, []string{named + ",keep-alive,close"}, []string{lower + "," + named + "," + upper})
}

// Whatever a Connection header names, and however a header is spelled that concerns one side alone: the other side does
// not see it, and the headers that the proxy sets are its own. CCPROXY_TORTURE_SCALE=full asks in every dialect, too.
func TestHeaderLeaks(t *testing.T) {
	t.Parallel()
	faces := clientFaces()[:1]
	if os.Getenv("CCPROXY_TORTURE_SCALE") == "full" {
		faces = clientFaces()
	}
	total := 0
	for _, everything := range []bool{false, true} {
		r := newRig(t, rigSetup{quiet: true, config: func(c *claudeapi.Config) {
			c.ForwardHeaders = []string{"X-Named"}
			if everything {
				c.ForwardHeaders = []string{"*"}
			}
		}})
		for _, face := range faces {
			variants := connections("X-Named")
			spellings := len(aliases("A-B"))
			if len(variants) < 40 || spellings < 20 || len(leakCanaries()) < 20 {
				t.Fatalf("only %d variants, %d spellings, %d headers", len(variants), spellings, len(leakCanaries()))
			}
			for _, connection := range variants {
				for spelling := range spellings {
					if !r.keepsSides(t, face, connection, spelling) {
						return
					}
					total += len(leakCanaries())
				}
			}
		}
	}
	t.Logf("figures: 0 leaks in %d headers each way", total)
}

const leakCanary = "leak-canary"

// marked is a header with canaries in one spelling, and what else both sides send.
func marked(connection []string, spelling int) http.Header {
	h := http.Header{"Connection": connection, "X-Named": {leakCanary + "-named"}}
	for _, name := range leakCanaries() {
		key := http.CanonicalHeaderKey(aliases(name)[spelling]) // as net/http has them
		h[key] = append(h[key], leakCanary+"-"+name)
	}
	return h
}

// leaked are the headers that hold a canary.
func leaked(h http.Header) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if strings.Contains(strings.Join(h[name], " "), leakCanary) {
			names = append(names, fmt.Sprintf("%s: %q", name, h[name]))
		}
	}
	return names
}

// keepsSides sends canaries from both sides at once.
func (r *rig) keepsSides(t *testing.T, face clientFace, connection []string, spelling int) bool {
	t.Helper()
	answer := marked(append(slices.Clip(connection), "X-Ratelimit-Named, Anthropic-Named"), spelling)
	answer["Content-Type"] = []string{"application/json"}
	if !strings.Contains(strings.ToLower(strings.Join(connection, ",")), "close") { // with it, net/http takes Connection away
		answer["X-Ratelimit-Named"], answer["Anthropic-Named"] = []string{leakCanary}, []string{leakCanary}
	}
	answer["X-Ratelimit-Echo"] = []string{"Bearer " + rigKey}
	r.upstream.Enqueue(providertest.Raw(http.StatusOK, answer, `{"id":"m","type":"message","role":"assistant","model":"m",`+
		`"content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, face.path, strings.NewReader(face.body))
	req.Header = marked(connection, spelling)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Del("Http2-Settings") // some of which mean something to the proxy
	rec := httptest.NewRecorder()
	r.proxy.ServeHTTP(rec, req)
	where := fmt.Sprintf("%s, Connection %q, %s", face.path, connection, aliases("X-Api-Key")[spelling])
	if rec.Code != http.StatusOK {
		t.Errorf("%s: %d %s", where, rec.Code, rec.Body)
		return false
	}
	seen := r.last(t)
	if names := leaked(seen.Header); len(names) > 0 {
		t.Errorf("%s: the upstream got %s", where, names)
	}
	if key := seen.Header["X-Api-Key"]; len(key) != 1 || key[0] != rigKey || seen.Header.Get("Anthropic-Version") == "" {
		t.Errorf("%s: the upstream got X-Api-Key %q and Anthropic-Version %q", where, key, seen.Header["Anthropic-Version"])
	}
	if names := leaked(rec.Header()); len(names) > 0 || strings.Contains(fmt.Sprint(rec.Header()), rigKey) {
		t.Errorf("%s: the client got %s of %v", where, names, rec.Header())
	}
	if rec.Header().Get("X-Request-Id") == "" {
		t.Errorf("%s: the client's answer has no X-Request-Id", where)
	}
	return !t.Failed()
}
