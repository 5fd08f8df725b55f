package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// decoy is what must not be reached: a listener on this machine that counts.
type decoy struct {
	hits atomic.Int64
	port string
}

func newDecoy(t *testing.T) *decoy {
	t.Helper()
	d := &decoy{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, d.port, _ = net.SplitHostPort(l.Addr().String())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.hits.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return d
}

// clientOf is the managed client of a plugin of a proxy with the options.
func clientOf(t *testing.T, opts ...ccproxy.Option) *http.Client {
	t.Helper()
	a := &actor{}
	running(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "asker"}, a)}, opts...)
	return a.pc.HTTPClient
}

// literals are hosts that every resolver takes for an address.
func literals() []string {
	return []string{
		// this machine
		"127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "[::1]", "[::]",
		"[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]",
		"[::ffff:0.0.0.0]", "[::127.0.0.1]", "[::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
		"[2002:7f00:1::]", "[2002:7f00:0001::1]",
		// its networks
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.254", "100.64.0.1",
		"100.127.255.254", "[fc00::1]", "[fd00::1]", "[fd12:3456:789a::1]", "[fe80::1]", "[fec0::1]", "[::ffff:10.0.0.1]",
		"[::ffff:192.168.1.1]", "[::ffff:a00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b::c0a8:101]", "[64:ff9b:1::a00:1]",
		"[2002:a00:1::]", "[2002:c0a8:101::1]",
		// metadata services of clouds
		"169.254.169.254", "169.254.170.2", "169.254.0.1", "169.254.169.253", "[::ffff:169.254.169.254]",
		"[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "[fd20:ce::254]",
		"192.0.0.192", "100.100.100.200",
		// what is no public host
		"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "[ff02::1]", "[ff05::2]", "[100::1]", "[2001:db8::1]",
		"[2001::1]", "[2001:10::1]", "[3fff::1]", "[5f00::1]",
	}
}

// riddles are hosts that some resolvers take for this machine, and others for nothing.
func riddles() []string {
	return []string{
		"localhost", "LOCALHOST", "localhost.", "ip6-localhost", "2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1",
		"0177.0.0.1", "0177.1", "017700000001", "127.000.000.001", "0", "0x0",
	}
}

// A guarded proxy connects to nothing that is not public, whatever the address is written like.
func TestPublicUpstreams(t *testing.T) {
	t.Parallel()
	d := newDecoy(t)
	client := clientOf(t, ccproxy.WithPublicUpstreams())
	var wg sync.WaitGroup
	for i, host := range append(literals(), riddles()...) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(strings.Trim(host, "[]"), d.port), nil)
			if err != nil {
				t.Errorf("%s: %v", host, err)
				return
			}
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			if err == nil || i < len(literals()) && !errors.Is(err, ccproxy.ErrAddress) {
				t.Errorf("%s: %v, want ErrAddress", host, err)
			}
		})
	}
	wg.Wait()
	if n, forms := d.hits.Load(), len(literals())+len(riddles()); n != 0 || forms < 80 {
		t.Errorf("%d hits by %d forms, want 0 by 80 or more", n, forms)
	}
	t.Logf("%d forms, %d hits", len(literals())+len(riddles()), d.hits.Load())
}

// Without the option, and for prefixes that are allowed, this machine can be an upstream.
func TestUpstreamsOnThisMachine(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]ccproxy.Option{
		"default": nil, "allowed": {ccproxy.WithPublicUpstreams(netip.MustParsePrefix("127.0.0.0/8"))},
	} {
		d := newDecoy(t)
		resp, err := clientOf(t, opts...).Get("http://127.0.0.1:" + d.port)
		if err == nil {
			_ = resp.Body.Close()
		}
		if errors.Is(err, ccproxy.ErrAddress) || d.hits.Load() == 0 {
			t.Errorf("%s: %v, %d hits", name, err, d.hits.Load())
		}
	}
	_, err := registryOf(t).Build(ccproxy.Settings{},
		ccproxy.WithPublicUpstreams(), ccproxy.WithTransport(http.DefaultTransport))
	if !errors.Is(err, ccproxy.ErrConfig) {
		t.Errorf("with a transport: %v", err)
	}
}

// No part of a client's request chooses the host that the proxy connects to.
func TestClientsChooseNoHost(t *testing.T) {
	t.Parallel()
	d := newDecoy(t)
	var seen sync.Map
	transport := roundTrip(func(req *http.Request) (*http.Response, error) {
		seen.Store(req.URL.Host+" "+req.Host, true)
		if req.Body != nil {
			_, _ = io.Copy(io.Discard, req.Body)
		}
		if strings.Contains(req.URL.Host, "127.0.0.1") {
			return http.DefaultTransport.RoundTrip(req)
		}
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		_, _ = rec.WriteString(wholeAnswer)
		return rec.Result(), nil
	})
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(rigKey)
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{claudeapi.Factory()},
		ccproxy.WithTransport(transport), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	forms := 0
	try := func(req *http.Request) {
		forms++
		p.ServeHTTP(httptest.NewRecorder(), req)
	}
	for _, scheme := range []string{"http://", "//", "HTTP://user:pass@", `\\`, "http:/", "@"} {
		at := scheme + "127.0.0.1:" + d.port
		for _, key := range []string{"base_url", "api_base", "url", "endpoint", "target", "upstream", "callback_url"} {
			body := strings.Replace(wholeBody, "{", fmt.Sprintf("{%q:%q,", key, at), 1)
			try(httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(body)))
			r := httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(wholeBody))
			r.URL.RawQuery = key + "=" + at
			try(r)
		}
		for _, name := range []string{"X-Forwarded-Host", "X-Base-Url", "X-Upstream", "Forwarded", "X-Original-Url", "Referer"} {
			r := httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(wholeBody))
			r.Header.Set(name, at)
			try(r)
		}
		image := `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":` +
			fmt.Sprintf(`{"type":"url","url":%q}}]}]}`, at)
		try(httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(image)))
		r := httptest.NewRequest(http.MethodPost, messagesPath, strings.NewReader(wholeBody))
		r.Host, r.URL.Host, r.URL.Scheme = "127.0.0.1:"+d.port, "127.0.0.1:"+d.port, "http"
		try(r)
		for _, escaped := range []string{"%2F%2F127.0.0.1:" + d.port, "..%2F..%2F@127.0.0.1:" + d.port, "%40127.0.0.1"} {
			try(httptest.NewRequest(http.MethodGet, "/claude/v1/models/"+escaped, nil))
		}
		try(httptest.NewRequest(http.MethodPost, messagesPath,
			strings.NewReader(strings.Replace(wholeBody, "claude-fake-1", strings.ReplaceAll(at, `\`, `\\`), 1))))
	}
	seen.Range(func(host, _ any) bool {
		if host != "api.anthropic.com api.anthropic.com" {
			t.Errorf("the proxy asked %v", host)
		}
		return true
	})
	if n := d.hits.Load(); n != 0 || forms < 80 {
		t.Errorf("%d hits by %d forms, want 0 by 80 or more", n, forms)
	}
	t.Logf("%d forms, %d hits", forms, d.hits.Load())
}
