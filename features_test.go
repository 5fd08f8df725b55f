package ccproxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// marking is a typed adapter from Chat to Messages that tells in which form it was called.
type marking struct{ adapters.Funcs }

func newMarking() marking {
	return marking{adapters.Funcs{Name: "marking", Request: func(context.Context, map[string]any) (map[string]any, error) {
		return map[string]any{"model": "by maps", "max_tokens": 1, "messages": []any{map[string]any{"role": "user", "content": "x"}}}, nil
	}}}
}

func (marking) ConvertRawRequest(context.Context, []byte) ([]byte, error) {
	return []byte(`{"model":"directly","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`), nil
}
func (marking) ConvertRawResponse(_ context.Context, in []byte) ([]byte, error) { return in, nil }
func (marking) ConvertRawError(_ context.Context, in []byte) ([]byte, error)    { return in, nil }
func (marking) ConvertRawStream(_ context.Context, in adapters.Stream) adapters.Stream {
	return in
}

var _ adapters.RawAdapter = marking{}

// convertedBy is the model that the upstream of a Chat client's request was asked for.
func convertedBy(t *testing.T, features ccproxy.Features, plugins ...ccproxy.Factory) string {
	t.Helper()
	r := newRig(t, rigSetup{quiet: true, settings: ccproxy.Settings{Features: features}, plugins: plugins})
	rec := r.do(t, http.MethodPost, "/claude/v1/chat/completions", nil, strings.NewReader(asks("plain")))
	if rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return find(r.last(t).Body, "model")
}

// manifest_format_adapters: adapters come from manifests, or, without it, from plugins that register them.
func TestManifestFormatAdapters(t *testing.T) {
	t.Parallel()
	pair := adapters.FormatPair{From: chat, To: adapters.AnthropicMessages}
	declared := plain(ccproxy.Manifest{Name: "declared", FormatAdapters: []ccproxy.FormatAdapterSpec{{
		From: pair.From, To: pair.To,
		New: func(*ccproxy.PluginContext) (adapters.FormatAdapter, error) { return newMarking(), nil },
	}}})
	register := func(_ context.Context, pc *ccproxy.PluginContext) error {
		if !pc.Settings.Features.ManualFormatAdapters {
			return nil // as the settings say, manifests are enough
		}
		_, err := pc.Formats.Register(adapters.Registration{Pair: pair, Adapter: newMarking()})
		return err
	}
	registering := ccproxy.NewFactory(ccproxy.Manifest{Name: "registering"}, func() ccproxy.Plugin {
		return &actor{init: register}
	}) // one for each proxy
	manual := ccproxy.Features{ManualFormatAdapters: true}
	for _, test := range []struct {
		name     string
		features ccproxy.Features
		plugin   ccproxy.Factory
		want     string
	}{
		{"of a manifest", ccproxy.Features{}, declared, "directly"},
		{"of a manifest, switched off", manual, declared, "plain"},
		{"registered", manual, registering, "directly"},
		{"registered, where manifests count", ccproxy.Features{}, registering, "plain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := convertedBy(t, test.features, test.plugin); got != test.want {
				t.Errorf("the request was converted to %q, want %q", got, test.want)
			}
		})
	}
}

// use_typed_adapters: adapters are called directly, or, without it, by their untyped form on maps.
func TestUseTypedAdapters(t *testing.T) {
	t.Parallel()
	plugin := plain(ccproxy.Manifest{Name: "marking", FormatAdapters: []ccproxy.FormatAdapterSpec{{
		From: chat, To: adapters.AnthropicMessages,
		New: func(*ccproxy.PluginContext) (adapters.FormatAdapter, error) { return newMarking(), nil },
	}}})
	for untyped, want := range map[bool]string{false: "directly", true: "by maps"} {
		if got := convertedBy(t, ccproxy.Features{UntypedAdapters: untyped}, plugin); got != want {
			t.Errorf("untyped %t: converted %q, want %q", untyped, got, want)
		}
	}
}

// The untyped form of the core's adapters says the same, but for what it cannot tell of losses.
func TestUntypedAdaptersConvert(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		r := newRig(t, rigSetup{settings: ccproxy.Settings{Features: ccproxy.Features{UntypedAdapters: true}}})
		rec := c.post(t, r, `,"unheard_of":1`)
		if rec.Code != http.StatusOK || c.text(rec.Body.Bytes()) == "" || rec.Header().Get("X-CCProxy-Loss") != "" {
			t.Errorf("whole: %d %v %s", rec.Code, rec.Header(), rec.Body)
		}
		if got := r.completed(t); got.Losses != nil {
			t.Errorf("losses = %v", got.Losses)
		}
		rec = c.post(t, r, `,"stream":true`)
		if s := c.read(t, rec.Body.String()); s.done != 1 || s.failed != 0 || s.text == "" || s.afterTerminal {
			t.Errorf("stream: %+v of %s", s, rec.Body)
		}
		r.completed(t)
		r.upstream.Enqueue(providertest.Error(http.StatusTooManyRequests, "rate_limit_error", "slow", nil))
		wantError(t, c.post(t, r, ""), openAIDialect, http.StatusTooManyRequests, "rate_limit_error", "slow")
		r.failed(t)
		early := "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n"
		r.upstream.Enqueue(streamOf(early))
		wantError(t, c.post(t, r, `,"stream":true`), openAIDialect, http.StatusTooManyRequests, "rate_limit_error", "slow")
		r.failed(t)
		turn := providertest.TextEvents("claude-fake-1", "Hi there")
		r.upstream.Enqueue(providertest.Stream(turn[:len(turn)-1]...))
		rec = c.post(t, r, `,"stream":true`)
		if s := c.read(t, rec.Body.String()); s.done != 0 || s.failed != 1 {
			t.Errorf("cut stream: %+v of %s", s, rec.Body)
		}
		r.failed(t)
	})
}

// What cannot be told of cannot be refused.
func TestStrictConversionNeedsTypedAdapters(t *testing.T) {
	t.Parallel()
	_, err := registryOf(t).Build(ccproxy.Settings{StrictConversion: true, Features: ccproxy.Features{UntypedAdapters: true}})
	if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), "features.use_typed_adapters") {
		t.Errorf("error = %v", err)
	}
}

// Hooks are told what a conversion loses, of the request and of the answer.
func TestLossesInHooks(t *testing.T) {
	t.Parallel()
	eachOpenAIClient(t, func(t *testing.T, c openAIClient) {
		t.Helper()
		prepared := make(chan []string, 8)
		r := newRig(t, rigSetup{hooks: []hooks.Hook{
			hooks.On("prepared", func(_ context.Context, _ *hooks.Context, p *hooks.ProviderRequestPrepared) error {
				prepared <- p.Losses
				return nil
			}),
		}})
		const answer = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x"}],` +
			`"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1},"odd":1}`
		request := []string{"top_logprobs", "unheard_of"}
		lossy := `,"top_logprobs":3,"unheard_of":1`
		r.upstream.Enqueue(jsonReply(http.StatusOK, answer))
		rec := c.post(t, r, lossy)
		header := strings.Split(rec.Header().Get("X-CCProxy-Loss"), ", ")
		end := r.completed(t)
		if diff := cmp.Diff(header, end.Losses); diff != "" || len(end.Losses) < 3 {
			t.Errorf("request.completed says %v (-header +hook):\n%s", end.Losses, diff)
		}
		if diff := cmp.Diff(request, end.Losses[:2]); diff != "" {
			t.Errorf("losses of the request (-want +got):\n%s", diff)
		}
		if !strings.HasPrefix(end.Losses[len(end.Losses)-1], "response.") {
			t.Errorf("losses of the answer are missing: %v", end.Losses)
		}
		if diff := cmp.Diff(request, <-prepared); diff != "" {
			t.Errorf("provider.request.prepared (-want +got):\n%s", diff)
		}
		r.upstream.Enqueue(providertest.Error(http.StatusBadRequest, "invalid_request_error", "no", nil))
		c.post(t, r, lossy)
		if diff := cmp.Diff(request, r.failed(t).Losses); diff != "" {
			t.Errorf("request.failed (-want +got):\n%s", diff)
		}
		c.post(t, r, "")
		if got := r.completed(t).Losses; got != nil {
			t.Errorf("a call that loses nothing: %v", got)
		}
		var many strings.Builder
		for i := range 300 {
			many.WriteString(`,"x` + strings.Repeat("y", i) + `":1`)
		}
		c.post(t, r, many.String())
		if got := r.completed(t).Losses; len(got) != 257 || got[256] != "…" {
			t.Errorf("%d losses are told, the last %q", len(got), got[len(got)-1])
		}
	})
}
