package claudesdk_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
)

// other is a provider that counts its calls.
type other struct{ calls atomic.Int64 }

func (o *other) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (o *other) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) {
	o.calls.Add(1)
	const answer = `{"id":"msg_2","type":"message","role":"assistant","model":"m","content":[],` +
		`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}`
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(answer)), Reshape: true}, nil
}

func (o *other) Initialize(context.Context, *ccproxy.PluginContext) error { return nil }
func (o *other) Shutdown(context.Context) error                           { return nil }

// What the CLI has done with its tools is not done again by somebody else, though the client has seen none of it. A
// refusal that comes before goes on elsewhere.
func TestToolsRunOnce(t *testing.T) {
	t.Parallel()
	for order, calls := range map[string]int64{"workandfail 529": 0, "workandfail 500": 0, "fail 529": 1} {
		for _, stream := range []bool{true, false} {
			t.Run(order, func(t *testing.T) {
				t.Parallel()
				o := new(other)
				p := startWith(t, ccproxy.Settings{
					Plugins:   map[string]map[string]any{claudesdk.Name: table(t, map[string]any{"message_mode": "ignore"})},
					Fallbacks: []ccproxy.Fallback{{Match: "sonnet", Targets: []string{"other/m"}}},
				}, ccproxy.NewFactory(ccproxy.Manifest{
					Name: "other", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{{
						Formats: []adapters.Format{adapters.AnthropicMessages},
						New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return o, nil },
					}},
				}, func() ccproxy.Plugin { return o }))
				w := ask(t, p, messages, "", body(t, map[string]any{"stream": stream}, order))
				if o.calls.Load() != calls || (w.Code == http.StatusOK) != (calls > 0) {
					t.Errorf("stream %v: %d calls of the other: %d %s", stream, o.calls.Load(), w.Code, w.Body)
				}
			})
		}
	}
}
