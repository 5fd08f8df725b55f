package matrix

import (
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// TestCollectLogprobs: probabilities that come in pieces are in the whole answer, where the client's dialect has them.
func TestCollectLogprobs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, to, want string }{
		{"C", "R", `"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]},{"token":"b",`},
		{"R", "C", `"logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]},{"token":"b",`},
		{"C", "C", `"logprobs":{"content":[{"token":"a",`},
		{"R", "R", `"logprobs":[{"token":"a",`},
	} {
		t.Run(test.from+"→"+test.to, func(t *testing.T) {
			t.Parallel()
			wire := ""
			for _, g := range cases(t) {
				if g.dir.from == test.from && g.kind == stream && strings.HasSuffix(g.path, "logprobs.txtar") {
					wire = g.wire(t)
				}
			}
			resp, err := adapters.Collect(codecs()[test.from].DecodeStream(), wireEvents(strings.NewReader(wire)))
			if err != nil {
				t.Fatal(err)
			}
			out, err := codecs()[test.to].Responses().EncodeResponse(resp, nil, nil)
			if err != nil || !strings.Contains(string(out), test.want) {
				t.Errorf("answer %s (%v), want in it %s", out, err, test.want)
			}
		})
	}
}
