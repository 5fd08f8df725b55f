package adapters_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/internal/envelope"
)

func TestWithhold(t *testing.T) {
	t.Parallel()
	sealed := string(envelope.Seal(canonical.CarriedThinking, canonical.NewToken("secret")))
	for _, tt := range []struct {
		name   string
		format adapters.Format
		in     string
		want   string // empty: as it came
		lost   []string
	}{
		{
			"thinking of another vendor", formatA,
			`{"model": "m","messages":[{"role":"user","content":"a"},{ "role":"assistant","content":[` +
				`{"type":"thinking","thinking":"t","signature":` + sealed + `},{"type":"redacted_thinking","data":` + sealed +
				`},{"type":"text", "text":"b"}]},{"role":"assistant","content":[{"type":"redacted_thinking","data":` +
				sealed + `}]}], "max_tokens":1e2}`,
			`{"model": "m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` +
				`{"type":"text", "text":"b"}]}], "max_tokens":1e2}`,
			[]string{"messages[1].content[0]", "messages[1].content[1]", "messages[2].content[0]"},
		},
		{
			"the vendor's own thinking", formatA,
			`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"EqQB"}]}]}`, "", nil,
		},
		{
			"details that a conversion made", formatC,
			`{"messages":[{"role":"assistant","reasoning_content":"t","reasoning_details":[{"type":"reasoning.summary",` +
				`"summary":"t"},{"type":"reasoning.encrypted","data":` + sealed + `}],"content":"b"}]}`,
			`{"messages":[{"role":"assistant","reasoning_content":"t","content":"b"}]}`,
			[]string{"messages[0].reasoning_details"},
		},
		{
			"details of the upstream's own", formatC,
			`{"messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.text","signature":"EqQB"}]}]}`, "", nil,
		},
		{
			"an item of another vendor", formatR,
			`{"input":[{"type":"reasoning","id":"rs_1","encrypted_content":` + sealed + `},{"type":"message", "x":1}]}`,
			`{"input":[{"type":"message", "x":1}]}`,
			[]string{"input[0]"},
		},
		{"talk of envelopes", formatR, `{"input":` + sealed + `}`, "", nil},
		{"no list", formatA, `{"messages":{"content":` + sealed + `}}`, "", nil},
		{"content is no list", formatA, `{"messages":[{"content":` + sealed + `},1]}`, "", nil},
		{"unknown format", "custom", `{"messages":[{"reasoning_details":[{"data":` + sealed + `}]}]}`, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want == "" {
				tt.want = tt.in
			}
			got, lost := adapters.Withhold(tt.format, []byte(tt.in))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			var paths []string
			for _, l := range lost {
				paths = append(paths, l.Path)
			}
			if diff := cmp.Diff(tt.lost, paths); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}
