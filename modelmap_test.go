package ccproxy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// mapped is a rig whose claude provider has the rules.
func mapped(t *testing.T, rules ...ccproxy.ModelRule) *rig {
	t.Helper()
	return newRig(t, rigSetup{settings: ccproxy.Settings{ModelMappings: map[string][]ccproxy.ModelRule{"claude": rules}}})
}

func TestModelRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		rules []ccproxy.ModelRule
		model string
		want  string
	}{
		{"none", nil, "gpt-4o", "gpt-4o"},
		{"exact", []ccproxy.ModelRule{{Match: "gpt-4o", Target: "a"}}, "gpt-4o", "a"},
		{"exact is not a prefix", []ccproxy.ModelRule{{Match: "gpt-4o", Target: "a"}}, "gpt-4o-mini", "gpt-4o-mini"},
		{
			"the first that matches",
			[]ccproxy.ModelRule{
				{Match: "gpt-4o-mini", Target: "a", Kind: "prefix"}, {Match: "gpt-4o", Target: "b", Kind: "prefix"},
			},
			"gpt-4o-mini-2024-07-18", "a",
		},
		{"once only", []ccproxy.ModelRule{{Match: "x", Target: "y"}, {Match: "y", Target: "z"}}, "x", "y"},
		{"suffix", []ccproxy.ModelRule{{Match: "-mini", Target: "a", Kind: "suffix"}}, "gpt-4o-mini", "a"},
		{"regex finds", []ccproxy.ModelRule{{Match: `o\d$`, Target: "a", Kind: "regex"}}, "gpt-o3", "a"},
		{"regex anchored", []ccproxy.ModelRule{{Match: `^o\d$`, Target: "a", Kind: "regex"}}, "gpt-o3", "gpt-o3"},
		{"case counts", []ccproxy.ModelRule{{Match: "Sonnet", Target: "a"}}, "sonnet", "sonnet"},
		{"case ignored", []ccproxy.ModelRule{{Match: "Sonnet", Target: "a", IgnoreCase: true}}, "sonNET", "a"},
		{
			"regex case ignored",
			[]ccproxy.ModelRule{{Match: "^SON", Target: "a", Kind: "regex", IgnoreCase: true}},
			"sonnet", "a",
		},
		{"target with quotes", []ccproxy.ModelRule{{Match: "x", Target: `a"b`}}, "x", `a\"b`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := mapped(t, test.rules...)
			const rest = `"max_tokens": 100,"messages":[{"role":"user","content":"\u0041 <b>"}] }`
			if rec := r.post(t, `{ "model" : "`+test.model+`",`+rest); rec.Code != 200 {
				t.Fatalf("status = %d: %s", rec.Code, rec.Body)
			}
			// Nothing but the name is another one.
			if diff := cmp.Diff(`{ "model" : "`+test.want+`",`+rest, string(r.last(t).Body)); diff != "" {
				t.Errorf("upstream body mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientsSeeTheirModel(t *testing.T) {
	t.Parallel()
	rule := ccproxy.ModelRule{Match: "mine", Target: "claude-x-latest"}
	for _, test := range []struct{ name, answers, want string }{
		{"as asked", "claude-x-latest", "mine"},
		{"dated", "claude-x-20251001", "mine"},
		{"dated in parts", "claude-x-2025-10-01", "mine"},
		{"another model", "claude-x-mini", "claude-x-mini"},
		{"another number", "claude-x-5", "claude-x-5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := mapped(t, rule)
			named := strings.NewReplacer("claude-fake-1", test.answers)
			r.upstream.Enqueue(
				providertest.Raw(200, nil, `{"type":"message", "model":"`+test.answers+`","content":[{"model":"claude-x-latest"}]}`),
				streamOf(named.Replace(wholeTurn)),
			)
			whole := r.post(t, `{"model":"mine","max_tokens":1}`).Body.String()
			if want := `{"type":"message", "model":"` + test.want + `","content":[{"model":"claude-x-latest"}]}`; whole != want {
				t.Errorf("answer = %s, want %s", whole, want)
			}
			stream := r.post(t, `{"model":"mine","max_tokens":1,"stream":true}`).Body.String()
			if want := strings.ReplaceAll(wholeTurn, "claude-fake-1", test.want); stream != want {
				t.Errorf("stream = %s, want %s", stream, want)
			}
			r.completed(t)
			if got := r.completed(t); got.Model != "mine" || got.Usage == nil || got.Usage.Model != test.answers {
				t.Errorf("hooks see model %q, usage %+v", got.Model, got.Usage)
			}
		})
	}
}

// A client whose name was not mapped gets the provider's words as they are.
func TestUnmappedAnswersStay(t *testing.T) {
	t.Parallel()
	r := mapped(t, ccproxy.ModelRule{Match: "other", Target: "claude-fake-1"})
	odd := strings.Replace(wholeTurn, "data: ", "data:", 1)
	r.upstream.Enqueue(streamOf(odd))
	if got := r.post(t, streamBody).Body.String(); got != odd {
		t.Errorf("stream = %q, want it byte for byte", got)
	}
}

func TestBadModelRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		provider string
		rule     ccproxy.ModelRule
		names    string
	}{
		{"no match", "claude", ccproxy.ModelRule{Target: "a"}, "model_mappings.claude[0]: match"},
		{"no target", "claude", ccproxy.ModelRule{Match: "a"}, "model_mappings.claude[0]: target"},
		{"kind", "claude", ccproxy.ModelRule{Match: "a", Target: "b", Kind: "glob"}, `kind: "glob"`},
		{
			"regex", "claude",
			ccproxy.ModelRule{Match: "^gpt-4(?!o)", Target: "b", Kind: "regex"},
			"model_mappings.claude[0]: match: invalid configuration: error parsing regexp",
		},
		{"provider", "claud", ccproxy.ModelRule{Match: "a", Target: "b"}, `model_mappings.claud: no such provider (did you mean "claude"?)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(claudeapi.Factory()); err != nil {
				t.Fatal(err)
			}
			_, err := reg.Build(ccproxy.Settings{
				ModelMappings: map[string][]ccproxy.ModelRule{test.provider: {test.rule}},
			})
			if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), test.names) {
				t.Errorf("error = %v, want ErrConfig that names %q", err, test.names)
			}
		})
	}
}
