package commandreplay

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

// run runs a script by the system's shell, with a curl that only says what it was given.
func run(t *testing.T, text string, env ...string) []string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "x.sh")
	fake := "curl() { for a in \"$@\"; do printf '%s\\0' \"$a\"; done; }\n"
	if err := os.WriteFile(path, []byte(fake+text), 0o600); err != nil {
		t.Fatal(err)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no POSIX shell here")
	}
	cmd := exec.CommandContext(t.Context(), sh, path)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\nof the script\n%s", err, out, text)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Fatalf("the script made files: %v\n%s", entries, text)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, dir, "DIR")
	}
	return args
}

// begin are the arguments of each call.
func begin(method string) []string {
	return []string{"--globoff", "--path-as-is", "--no-buffer", "--include", "--request", method, "--url"}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, url string
		header            http.Header
		body              bool
		want              []string // after the method
		text              string   // that the script has
	}{
		{name: "plain", method: "GET", url: "https://a.test/x", want: []string{"https://a.test/x"}},
		{
			name: "credentials", method: "POST", url: "https://a.test/x?a=b&key=[REDACTED]&c=d", body: true,
			header: http.Header{"X-Api-Key": {"canary"}, "Authorization": {"Bearer canary"}, "Content-Length": {"9"}, "X-E": {""}},
			want: []string{
				"https://a.test/x?a=b&key=q&c=d", "--header", "Authorization: Bearer z", "--header", "X-Api-Key: k",
				"--header", "X-E;", "--data-binary", "@DIR/body",
			},
			text: `"$REPLAY_X_API_KEY"`,
		},
		{
			name: "hostile", method: "GET", url: "https://a.test/'$(touch a)`touch b`\\",
			header: http.Header{"X-A": {"';touch c;'\"$(touch d)"}, "X-B;touch e": {"f"}, "@file": {"f"}},
			want: []string{
				"https://a.test/'$(touch a)`touch b`\\", "--header", "X-A: ';touch c;'\"$(touch d)",
			},
		},
		{
			name: "hostile query", method: "GET", url: "https://a.test/?$(touch a)key=[REDACTED]",
			want: []string{"https://a.test/?$(touch a)key=n"}, text: "$REPLAY_QUERY_0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, ok := (&plugin{scrubber: scrub.New()}).command(&hooks.HTTPRequest{
				Method: tt.method, URL: tt.url, Header: hooks.SnapshotHeader(tt.header),
			}, "body", tt.body)
			if !ok || !strings.Contains(text, tt.text) || strings.Contains(text, "canary") {
				t.Fatalf("%t\n%s", ok, text)
			}
			got := run(t, text, "REPLAY_X_API_KEY=k", "REPLAY_AUTHORIZATION=Bearer z", "REPLAY_KEY=q", "REPLAY_QUERY_0=n")
			if diff := cmp.Diff(append(begin(tt.method), tt.want...), got); diff != "" {
				t.Errorf("arguments (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

func TestCommandNeedsItsCredentials(t *testing.T) {
	t.Parallel()
	text, _ := (&plugin{scrubber: scrub.New()}).command(&hooks.HTTPRequest{
		Method: "GET", URL: "https://a.test/", Header: hooks.SnapshotHeader(http.Header{"X-Api-Key": {"k"}}),
	}, "", false)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "curl() { echo sent; }\n"+text).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "REPLAY_X_API_KEY") || strings.Contains(string(out), "sent") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestNoCommand(t *testing.T) {
	t.Parallel()
	for _, req := range []hooks.HTTPRequest{
		{Method: "GET", URL: "file:///etc/passwd"},
		{Method: "GET", URL: "-o/etc/x"},
		{URL: "https://a.test"},
		{Method: "GET;ls", URL: "https://a.test"},
	} {
		if text, ok := (&plugin{scrubber: scrub.New()}).command(&req, "", false); ok {
			t.Errorf("%s %s has a script:\n%s", req.Method, req.URL, text)
		}
	}
}

// FuzzCommand runs scripts of hostile requests by a real shell: every part has to arrive as it was, and nothing else.
func FuzzCommand(f *testing.F) {
	f.Add("POST", "/x?a=$(touch x)", "X-A", "'; touch y; '")
	f.Add("G'T", "/`touch z`", "X-'A'`touch w`", "\n touch v\r\x00")
	f.Add("GET", "/?key=[REDACTED]&$(x)key=[REDACTED]", "Cookie", "${PATH}")
	f.Fuzz(func(t *testing.T, method, path, name, value string) {
		if strings.Contains(path+value, redacted) || len(path)+len(value)+len(name) > 4096 {
			path, value = strings.ReplaceAll(path, redacted, ""), strings.ReplaceAll(value, redacted, "")
		}
		h := hooks.SnapshotHeader(http.Header{name: {value}})
		text, ok := (&plugin{scrubber: scrub.New()}).command(&hooks.HTTPRequest{Method: method, URL: "http://a.test/" + path, Header: h}, "", false)
		if !ok {
			return
		}
		oneLine := strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")
		want := append(begin(method), oneLine.Replace("http://a.test/"+path))
		if method == http.MethodHead {
			want = slices.Replace(want, 4, 6, "--head")
		}
		switch shown := h.Value(name); {
		case skipped(name):
		case shown == redacted:
			want = append(want, "--header", name+": v")
		case shown == "":
			want = append(want, "--header", name+";")
		default:
			want = append(want, "--header", oneLine.Replace(name+": "+shown))
		}
		var vars []string
		variable(name, &vars)
		if diff := cmp.Diff(want, run(t, text, vars[0]+"=v")); diff != "" {
			t.Errorf("arguments (-want +got):\n%s\n%s", diff, text)
		}
	})
}
