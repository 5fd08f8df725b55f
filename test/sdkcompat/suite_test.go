package sdkcompat

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scenario is one use of the SDK and all that must come of it.
type scenario struct {
	name   string
	script []providertest.Reply // answers to messages requests; nil: the upstream's own behaviour
	run    func(ctx context.Context, t *testing.T, tg target) result
	want   result
}

// result is what an application can see of a scenario.
type result struct {
	Messages []message
	Tokens   int64
	Models   []string
	Failure  *failure
	Upstream []string // requests as the upstream saw them, where the scenario is about that
	Canceled []string // requests that the upstream saw going away
	Waited   bool     // as long as the upstream had asked for
}

type message struct {
	ID, Role, Model, StopReason string
	Content                     []content
	InputTokens, OutputTokens   int64
}

type content struct{ Type, Text, ID, Name, Input string }

// failure is an error as the SDK shows it. Other is set if it is no error of the API.
type failure struct {
	Status                   int
	Type, Message, RequestID string
	RetryAfter, ShouldRetry  string
	Other                    string
}

// testMessages runs every scenario over a target of its own, so that scripts do not meet.
func testMessages(t *testing.T, open opener) {
	t.Helper()
	scenarios := slices.Concat(messageScenarios(), streamScenarios(), toolScenarios(), listScenarios(),
		betaScenarios(), failureScenarios(), retryScenarios(), cancelScenarios())
	for _, sc := range scenarios {
		up := new(providertest.Upstream)
		tg := open(t, up)
		t.Cleanup(func() {
			if err := up.Close(); err != nil {
				t.Errorf("close upstream: %v", err)
			}
		})
		t.Run(tg.name+"/"+sc.name, func(t *testing.T) {
			t.Parallel()
			up.Enqueue(sc.script...)
			got := sc.run(t.Context(), t, tg)
			if diff := cmp.Diff(sc.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// add appends m, or notes why there is none.
func (r *result) add(m *anthropic.Message, err error) {
	if err != nil {
		r.Failure = failureOf(err)
		return
	}
	got := message{
		ID: m.ID, Role: string(m.Role), Model: m.Model, StopReason: string(m.StopReason),
		InputTokens: m.Usage.InputTokens, OutputTokens: m.Usage.OutputTokens,
	}
	for _, b := range m.Content {
		got.Content = append(got.Content, content{b.Type, b.Text, b.ID, b.Name, string(b.Input)})
	}
	r.Messages = append(r.Messages, got)
}

func failureOf(err error) *failure {
	api, ok := errors.AsType[*anthropic.Error](err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return &failure{Other: "canceled"}
		}
		return &failure{Other: err.Error()}
	}
	var body struct {
		Error struct{ Message string }
	}
	if json.Unmarshal([]byte(api.RawJSON()), &body) != nil {
		return &failure{Status: api.StatusCode, Other: api.RawJSON()}
	}
	return &failure{
		Status: api.StatusCode, Type: string(api.Type()), Message: body.Error.Message, RequestID: api.RequestID,
		RetryAfter:  api.Response.Header.Get("Retry-After"),
		ShouldRetry: api.Response.Header.Get("X-Should-Retry"),
	}
}

// seen lists requests as method, path and query.
func seen(requests ...providertest.Request) []string {
	var list []string
	for _, r := range requests {
		line := r.Method + " " + r.Path
		if r.RawQuery != "" {
			line += "?" + r.RawQuery
		}
		list = append(list, line)
	}
	return list
}
