package ccproxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Ten thousand documents that no encoder would write, half of them requests and half answers, come out as they went in wherever the client
// and the upstream speak the same format.
func TestDocumentsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	documents := int64(10_000)
	if testing.Short() || raceEnabled {
		documents = 1000 // the others are more of the same
	}
	members := map[adapters.Format][2]string{
		adapters.AnthropicMessages:     {`"messages":[]`, `"type":"message"`},
		adapters.OpenAIChatCompletions: {`"messages": [ ]`, `"object":"chat.completion"`},
		adapters.OpenAIResponses:       {`"input":"\u0041"`, `"object":"response"`},
	}
	formats := providertest.Formats()
	for i, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			r := newFaultRig(t, format, false)
			path, _ := streamAsk(format)
			for seed := int64(i); seed < documents/2; seed += int64(len(formats)) {
				request := generated(1<<40+seed, `"model" : "m"`, `"stream":false`, members[format][0])
				answer := generated(1<<41+seed, members[format][1])
				r.upstream.Enqueue(providertest.Raw(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, answer))
				rec := httptest.NewRecorder()
				r.proxy.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(request)))
				if sent, ok := r.upstream.Last(); !ok || string(sent.Body) != request {
					t.Fatalf("seed %d: request\n got %q\nwant %q", seed, sent.Body, request)
				}
				if rec.Code != http.StatusOK || rec.Body.String() != answer {
					t.Fatalf("seed %d: answer %d\n got %q\nwant %q", seed, rec.Code, rec.Body, answer)
				}
				r.upstream.Reset()
			}
		})
	}
}

// goldenStreams are the streams of the conversions' own tests that end well, as they are sent.
func goldenStreams(t *testing.T) map[adapters.Format]map[string]string {
	t.Helper()
	out := make(map[adapters.Format]map[string]string)
	for _, format := range providertest.Formats() {
		out[format] = make(map[string]string)
	}
	for _, pattern := range []string{"adapters/*/testdata/stream", "adapters/*/testdata/*/stream", "adapters/internal/*/testdata/*/stream"} {
		files, err := filepath.Glob(pattern + "/*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for part, stream := range goldenParts(string(text)) {
				for format, streams := range out {
					if e := providertest.EndingOf(format, stream); e.Successes == 1 && e.Failures == 0 {
						streams[strings.TrimSuffix(file, ".txtar")+" "+part] = stream
					}
				}
			}
		}
	}
	return out
}

// goldenParts are the parts of a case as streams: a part has events as they are sent, or the data of one in each line.
func goldenParts(text string) map[string]string {
	parts := make(map[string]string)
	for section := range strings.SplitSeq(text, "\n-- ") {
		name, events, ok := strings.Cut(section, " --\n")
		if !ok || !strings.HasPrefix(events, "{") && !strings.HasPrefix(events, "event: ") && !strings.HasPrefix(events, "data: ") {
			continue
		}
		if strings.HasPrefix(events, "{") {
			events = "data: " + strings.ReplaceAll(strings.TrimRight(events, "\n"), "\n", "\n\ndata: ")
		}
		parts[name] = strings.TrimRight(events, "\n") + "\n\n"
	}
	return parts
}

// Every golden stream comes out as it went in, with each line end, and wherever it is cut.
func TestGoldenStreamsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	streams := 0
	for format, golden := range goldenStreams(t) {
		for name, stream := range golden {
			streams++
			t.Run(fmt.Sprint(format, " ", name), func(t *testing.T) {
				t.Parallel()
				r := newFaultRig(t, format, false)
				for _, eol := range []string{"\n", "\r\n", "\r"} {
					whole := strings.ReplaceAll(stream, "\n", eol)
					for cut := 0; cut < len(whole); cut += 1 + len(whole)/4 {
						r.upstream.Enqueue(providertest.SplitAt(providertest.Stream(providertest.Bytes(whole)), cut, cut+1))
						if got := r.post(t, format).Body.String(); got != whole {
							t.Fatalf("%q cut at %d:\n got %q\nwant %q", eol, cut, got, whole)
						}
					}
					r.upstream.Enqueue(providertest.Bytewise(providertest.Stream(providertest.Bytes(whole))))
					if got := r.post(t, format).Body.String(); got != whole {
						t.Fatalf("%q byte by byte:\n got %q\nwant %q", eol, got, whole)
					}
				}
			})
		}
	}
	if streams < 40 {
		t.Errorf("only %d streams", streams)
	}
}
