package adapters_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// appending is what adapters made of codecs can do for who lends them memory.
type appending interface {
	adapters.Conversion
	AppendRequestLossy(ctx context.Context, dst, body []byte, doc *rawjson.Doc) (
		[]byte, *canonical.Request, []canonical.Loss, error,
	)
}

// A request that is written into memory on loan is the same as any, with and without a scan from before, and whether
// the memory is large enough or not.
func TestAppendRequest(t *testing.T) {
	t.Parallel()
	bodies := map[adapters.Format]string{
		adapters.AnthropicMessages: `{"model":"m","max_tokens":5,"system":"s","messages":[{"role":"user","content":"hi"}],"top_k":3}`,
		adapters.OpenAIChatCompletions: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,` +
			`"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},` +
			`{"role":"tool","tool_call_id":"a","content":"r"}],"tools":[{"type":"function","function":{"name":"f"}}],"seed":1}`,
		adapters.OpenAIResponses: `{"model":"m","input":"hi","truncation":"auto"}`,
	}
	var reg adapters.Registry
	for _, c := range []adapters.Codec{anthropic.Codec(), openai.Chat(), openai.Responses()} {
		if err := reg.RegisterCodec(c); err != nil {
			t.Fatal(err)
		}
	}
	for from, body := range bodies {
		for to := range bodies {
			if from == to {
				continue
			}
			a, err := reg.Lookup(adapters.FormatPair{From: from, To: to})
			if err != nil {
				t.Fatal(err)
			}
			want, _, wantLost, err := a.(adapters.Conversion).ConvertRequestLossy(t.Context(), []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			var doc rawjson.Doc
			in := []byte(body)
			if err := doc.Scan(in, rawjson.Options{}); err != nil {
				t.Fatal(err)
			}
			for _, scanned := range []*rawjson.Doc{nil, &doc} {
				for _, room := range []int{1, 4096} {
					dst := make([]byte, 0, room)
					got, req, lost, err := a.(appending).AppendRequestLossy(t.Context(), dst, in, scanned)
					if err != nil || req == nil || !bytes.Equal(got, want) {
						t.Errorf("%s to %s: %s, %v, want %s", from, to, got, err, want)
					}
					if diff := cmp.Diff(wantLost, lost); diff != "" {
						t.Errorf("%s to %s: losses (-want +got):\n%s", from, to, diff)
					}
					if room > len(want) && &got[0] != &dst[:1][0] {
						t.Errorf("%s to %s: the memory on loan was not used", from, to)
					}
				}
			}
		}
	}
	a, _ := reg.Lookup(adapters.FormatPair{From: adapters.OpenAIChatCompletions, To: adapters.AnthropicMessages})
	if _, _, _, err := a.(appending).AppendRequestLossy(t.Context(), nil, []byte(`{`), nil); err == nil {
		t.Error("half a request was converted")
	}
}
