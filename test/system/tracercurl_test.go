package system

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

// TestTracerCurl runs scripts of all dialects with the system's shell and curl, against the same addresses: each gets
// the same answer again, given the credentials that it asks for.
func TestTracerCurl(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no POSIX shell here")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	rig := startCurl(t)
	var plans []plan                                       // of each dialect, and one that is converted
	for _, n := range []int{0, 1, 360, 361, 720, 721, 9} { // whose upstreams answer soon
		plans = append(plans, newPlan(n))
	}
	answers := make(map[string]string)
	for _, p := range plans {
		answers["client "+p.id()] = rig.ask(p)
	}
	rig.stop() // then all scripts are there
	scripts := readTraces(t, rig.scripts)
	for _, p := range plans {
		for _, call := range rig.witness.of(p.n) {
			answers["provider "+p.id()] = call.answer
		}
	}
	rig.start(nil)
	defer rig.stop()
	for _, p := range plans {
		ran := 0
		for _, f := range scripts[p.n] {
			if f.end != "_curl.sh" {
				continue
			}
			ran++
			rig.replay(sh, f, answers[f.side+" "+p.id()])
		}
		if ran != 2 {
			t.Errorf("%s: %d scripts, want one of each side", p.id(), ran)
		}
	}
}

// curlRig is a proxy on a real listener before an upstream on another. Both want to see credentials.
type curlRig struct {
	t               *testing.T
	scripts         string
	witness         *witness
	upstream, front *httptest.Server
	proxy           atomic.Pointer[ccproxy.Proxy]
}

func startCurl(t *testing.T) *curlRig {
	t.Helper()
	root := t.TempDir()
	r := &curlRig{t: t, scripts: filepath.Join(root, "it's here"), witness: newWitness()}
	r.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-Api-Key") != upstreamCanary && req.Header.Get("Authorization") != "Bearer "+upstreamCanary {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.witness.ServeHTTP(w, req)
	}))
	t.Cleanup(r.upstream.Close)
	r.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+clientCanary || req.URL.Query().Get("api_key") != queryCanary ||
			req.Header.Get("Cookie") != "session="+cookieCanary {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.proxy.Load().ServeHTTP(w, req)
	}))
	t.Cleanup(r.front.Close)
	r.start(tables{
		requesttracer.Name: tracerTable(filepath.Join(root, "traces"), nil),
		commandreplay.Name: tracerTable(r.scripts, nil),
	})
	return r
}

// start puts a proxy behind the address that clients know.
func (r *curlRig) start(plugins tables) {
	r.t.Helper()
	proxy, _ := buildTracer(r.t, r.upstream.URL, plugins, io.Discard)
	r.proxy.Store(proxy)
}

func (r *curlRig) stop() {
	r.t.Helper()
	if err := r.proxy.Load().Shutdown(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Error(err)
	}
}

// replay runs a script, which has to get the answer again but for the moment that it says it was made.
func (r *curlRig) replay(sh string, f traceFile, want string) {
	r.t.Helper()
	path := filepath.Join(r.scripts, f.base+f.end)
	if out, err := exec.CommandContext(r.t.Context(), sh, path).CombinedOutput(); err == nil {
		r.t.Errorf("%s ran without credentials:\n%s", f.base, out)
	}
	key := map[string]string{"client": clientCanary, "provider": upstreamCanary}[f.side]
	cmd := exec.CommandContext(r.t.Context(), sh, path)
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "REPLAY_AUTHORIZATION=Bearer "+key, "REPLAY_X_API_KEY="+upstreamCanary,
		"REPLAY_COOKIE=session="+cookieCanary, "REPLAY_API_KEY="+queryCanary)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	head, body, _ := strings.Cut(string(out), "\r\n\r\n")
	created := regexp.MustCompile(`"created(_at)?":\d+`)
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 200 ") ||
		created.ReplaceAllString(body, "") != created.ReplaceAllString(want, "") {
		r.t.Errorf("%s: %v %s\n%s\nwant\n%s\nof\n%s", f.base, err, &faults, out, want, f.text)
	}
}

// ask sends the request of a plan and returns the answer.
func (r *curlRig) ask(p plan) string {
	r.t.Helper()
	resp, err := r.front.Client().Do(newTracerRequest(r.t, r.front.URL, p))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d %v %s", p.id(), resp.StatusCode, err, body)
	}
	return string(body)
}
