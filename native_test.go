package ccproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// document generates JSON as no encoder would write it: any spacing, escapes, numbers and key order.
type document struct {
	*rand.Rand
	out   bytes.Buffer
	names int
}

func (d *document) space() {
	for range d.Intn(3) {
		d.out.WriteByte(" \t\r\n"[d.Intn(4)])
	}
}

func (d *document) text() {
	d.out.WriteByte('"')
	pieces := []string{
		"word ", "ü", "日本", "😀", "<b>&amp;", `\n`, `\"`, `\\`, `\/`, `\u0041`, `\u00e9`, `\uD83D\uDE00`, `\ud800`,
		`\u0000`, "\xff", "\xc3", "\u2028", "\x7f", "event: x", `\r\n\r\n`, "data: ",
	}
	for range d.Intn(6) {
		d.out.WriteString(pieces[d.Intn(len(pieces))])
	}
	d.out.WriteByte('"')
}

func (d *document) value(depth int) {
	scalars := []string{
		"null", "true", "false", "0", "-0", "-0.0", "1e400", "1E-7", "12345678901234567890123", "0.1000", "3.0e+0", "{}", "[ ]", `""`,
	}
	switch n := d.Intn(10); {
	case n < 3 || depth > 5:
		d.out.WriteString(scalars[d.Intn(len(scalars))])
	case n < 6:
		d.text()
	case n < 8:
		d.out.WriteByte('[')
		for i := range d.Intn(4) + 1 {
			if i > 0 {
				d.out.WriteByte(',')
			}
			d.space()
			d.value(depth + 1)
			d.space()
		}
		d.out.WriteByte(']')
	default:
		d.object(depth+1, nil)
	}
}

// object writes fixed members, in any order, among unknown ones.
func (d *document) object(depth int, fixed []string) {
	for range d.Intn(4) + 1 {
		fixed = append(fixed, "")
	}
	d.Shuffle(len(fixed), func(i, j int) { fixed[i], fixed[j] = fixed[j], fixed[i] })
	d.out.WriteByte('{')
	for i, member := range fixed {
		if i > 0 {
			d.out.WriteByte(',')
		}
		d.space()
		if member != "" {
			d.out.WriteString(member)
		} else {
			d.names++
			d.out.WriteString(`"x_` + strconv.Itoa(d.names) + []string{"", `\u0041`, " ", "é"}[d.Intn(4)] + `"`)
			d.space()
			d.out.WriteByte(':')
			d.space()
			d.value(depth)
		}
		d.space()
	}
	d.out.WriteByte('}')
}

func generated(seed int64, fixed ...string) string {
	d := &document{Rand: rand.New(rand.NewSource(seed))}
	d.space()
	d.object(0, fixed)
	d.space()
	return d.out.String()
}

// Requests, answers and errors of the upstream's own format pass byte for byte.
func TestNativeBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	const documents = 1000
	for seed := range int64(documents) {
		request := generated(seed, `"model" : "m"`, `"stream":false`, `"messages":[]`)
		answer := generated(seed+documents, `"type":"message"`, `"usage":{"input_tokens":1}`)
		status := http.StatusOK
		if seed%3 == 0 {
			status = []int{400, 401, 404, 413, 429, 500, 503, 529}[seed/3%8]
			answer = generated(seed+documents, `"type":"error"`, `"error":{"type":"odd_error","message":"m"}`)
		}
		r.upstream.Enqueue(providertest.Raw(status, http.Header{"Content-Type": {"application/json"}}, answer))
		query := "beta=true&seed=" + strconv.FormatInt(seed, 10) + "&q=%2f+%zz"
		rec := r.do(t, http.MethodPost, messagesPath+"?"+query, nil, strings.NewReader(request))
		got := r.last(t)
		if string(got.Body) != request {
			t.Fatalf("seed %d: request\n got %q\nwant %q", seed, got.Body, request)
		}
		if got.RawQuery != query || got.Path != "/v1/messages" || got.Host != "api.anthropic.com" {
			t.Fatalf("seed %d: asked for %s%s?%s", seed, got.Host, got.Path, got.RawQuery)
		}
		if rec.Code != status || rec.Body.String() != answer {
			t.Fatalf("seed %d: answer %d\n got %q\nwant %d %q", seed, rec.Code, rec.Body, status, answer)
		}
	}
}

// eventStream is a generated stream with the line ends, comments and fields that the rules allow.
func eventStream(seed int64, eol string) string {
	r := rand.New(rand.NewSource(seed))
	var b strings.Builder
	if seed%4 == 1 {
		b.WriteString("\ufeff")
	}
	line := func(s string) { b.WriteString(s + eol) }
	if seed%3 == 0 {
		line(": first comment")
		line("")
	}
	line("event: message_start")
	line(`data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}`)
	line("")
	for i := range r.Intn(6) {
		switch r.Intn(7) {
		case 0:
			line(": keep-alive 日本")
		case 1:
			line("event: ping")
			line(`data: {"type": "ping"}`)
		case 2:
			line(`data:{"type":"content_block_delta","delta":{"text":"no space 😀"}}`)
		case 3:
			line("id: " + strconv.Itoa(i))
			line("retry: 10")
			line("event:unknown_event")
			line(`data: {"n":`)
			line(`data: 1}`)
		case 4:
			line("data")
		case 5:
			line("event: nothing")
			line("")
			line("")
		default:
			line("unknown-field: x")
			line("event: content_block_delta")
			line(`data: {"type":"content_block_delta","delta":{"text":"` + "\xff\xc3" + `"}}`)
		}
		line("")
	}
	line("event: message_stop")
	line(`data: {"type":"message_stop"}`)
	line("")
	if seed%5 == 0 {
		line(": bye")
		line("")
	}
	return b.String()
}

// Streams come out as they went in, whatever their line ends and wherever reads cut them.
func TestNativeStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, eol := range []string{"\n", "\r\n", "\r"} {
		for seed := range int64(12) {
			whole := eventStream(seed, eol)
			step := 1 + int(seed)%7*2
			for cut := 1; cut < len(whole); cut += step {
				r.upstream.Enqueue(providertest.Stream(providertest.Bytes(whole[:cut]), providertest.Bytes(whole[cut:])))
				if got := r.post(t, streamBody).Body.String(); got != whole {
					t.Fatalf("%q seed %d cut at %d:\n got %q\nwant %q", eol, seed, cut, got, whole)
				}
			}
			parts := make([]providertest.Part, 0, len(whole))
			for i := range len(whole) {
				parts = append(parts, providertest.Bytes(whole[i:i+1]))
			}
			r.upstream.Enqueue(providertest.Stream(parts...))
			if got := r.post(t, streamBody).Body.String(); got != whole {
				t.Fatalf("%q seed %d byte by byte:\n got %q\nwant %q", eol, seed, got, whole)
			}
			r.upstream.Reset()
		}
	}
}

// A hook that is a mutator changes what is sent, and nothing else.
func TestMutatedBodies(t *testing.T) {
	t.Parallel()
	const odd = " {\"model\" : \"m\",\"x\":1e2} \n"
	tests := []struct {
		name string
		fn   func(req *hooks.PreparedRequest) error
		want string
	}{
		{"looks only", func(req *hooks.PreparedRequest) error { _, err := req.Body(); return err }, odd},
		{"raw", func(req *hooks.PreparedRequest) error { req.SetRawBody([]byte("\t{ }")); return nil }, "\t{ }"},
		{"raw need not be JSON", func(req *hooks.PreparedRequest) error { req.SetRawBody([]byte("no")); return nil }, "no"},
		{"parsed", func(req *hooks.PreparedRequest) error { req.SetBody(map[string]any{"a": "<b>"}); return nil }, `{"a":"<b>"}`},
		{"raw beats parsed", func(req *hooks.PreparedRequest) error {
			req.SetRawBody([]byte(`{"raw":1}`))
			req.SetBody(map[string]any{"parsed": 1})
			return nil
		}, `{"raw":1}`},
		{"header", func(req *hooks.PreparedRequest) error {
			req.Header.Set("X-Added", "yes")
			req.Header.Del("User-Agent")
			req.Header.Set("X-Api-Key", "the hook's")
			return nil
		}, odd},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mutate := hooks.Mutate("m", func(_ context.Context, req *hooks.PreparedRequest) error {
				if req.Header.Get("X-Api-Key") != "" || string(req.OriginalBody()) != odd {
					t.Errorf("the hook sees header %v and body %q", req.Header, req.OriginalBody())
				}
				if req.URL != "https://api.anthropic.com/v1/messages?beta=true" || req.Model != "m" || req.Method != http.MethodPost {
					t.Errorf("the hook sees %s %s, model %q", req.Method, req.URL, req.Model)
				}
				return tt.fn(req)
			})
			r := newRig(t, rigSetup{quiet: true, hooks: []hooks.Hook{mutate}})
			r.upstream.Enqueue(providerAnswer())
			rec := r.do(t, http.MethodPost, messagesPath+"?beta=true", nil, strings.NewReader(odd))
			got := r.last(t)
			if rec.Code != http.StatusOK || string(got.Body) != tt.want {
				t.Errorf("got %d, upstream got %q", rec.Code, got.Body)
			}
			if got.Header.Get("X-Api-Key") != rigKey || len(got.Header["X-Api-Key"]) != 1 {
				t.Errorf("X-Api-Key = %q", got.Header["X-Api-Key"])
			}
			if added := got.Header.Get("X-Added"); (added == "yes") != (tt.name == "header") {
				t.Errorf("X-Added = %q", added)
			}
		})
	}
}

// Mutators run in order, each on what the last one left; one that fails closed refuses the request.
func TestMutatorChain(t *testing.T) {
	t.Parallel()
	appends := func(name string) hooks.Hook {
		return hooks.Mutate(name, func(_ context.Context, req *hooks.PreparedRequest) error {
			req.SetRawBody(fmt.Appendf(nil, "%s%s", req.RawBody(), name))
			return nil
		})
	}
	r := newRig(t, rigSetup{quiet: true, hooks: []hooks.Hook{appends("1"), appends("2"), appends("3")}})
	r.upstream.Enqueue(providerAnswer())
	r.post(t, "{}")
	if got := string(r.last(t).Body); got != "{}123" {
		t.Errorf("upstream got %q", got)
	}
	refuses := hooks.Mutate("guard", func(context.Context, *hooks.PreparedRequest) error { return errors.New("secret reason") })
	r = newRig(t, rigSetup{hooks: []hooks.Hook{refuses}})
	rec := r.post(t, wholeBody)
	wantError(t, rec, anthropicDialect, http.StatusServiceUnavailable, "overloaded_error", "a hook of the proxy refused")
	if strings.Contains(rec.Body.String(), "secret reason") || len(r.upstream.Requests()) != 0 {
		t.Errorf("got %s, %d requests upstream", rec.Body, len(r.upstream.Requests()))
	}
	r.failed(t)
}

// An answer that is larger than what is held back still comes whole, and one that breaks off is no whole answer.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	s := newHost(t, r.proxy, false)
	large := `{"x":"` + strings.Repeat("0", 9<<20) + `"}`
	reply := providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, large)
	get := func() (string, error) {
		resp, err := s.client.Post("http://proxy"+messagesPath, "application/json", strings.NewReader(wholeBody))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	r.upstream.Enqueue(reply, providertest.CutAfter(len(large)-1, reply), providertest.ResetAfter(len(large)-1, reply))
	if got, err := get(); err != nil || got != large {
		t.Errorf("%d of %d bytes, %v", len(got), len(large), err)
	}
	for range 2 {
		if got, err := get(); err == nil {
			t.Errorf("a cut answer of %d bytes looks whole", len(got))
		}
	}
}
