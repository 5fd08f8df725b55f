package sdkcompat

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// failureScenarios are errors as the SDK shows them, asked for whole and as a stream.
func failureScenarios() []scenario {
	errors := []failure{
		{Status: 400, Type: "invalid_request_error", Message: "prompt is too long: 200001 tokens > 200000 maximum"},
		{Status: 401, Type: "authentication_error", Message: "invalid x-api-key"},
		{Status: 403, Type: "permission_error", Message: "Not allowed"},
		{Status: 404, Type: "not_found_error", Message: "model: gone"},
		{Status: 429, Type: "rate_limit_error", Message: "Slow down", RetryAfter: "17"},
		{Status: 500, Type: "api_error", Message: "Internal server error"},
		{Status: 529, Type: "overloaded_error", Message: "Overloaded", ShouldRetry: "false"},
	}
	var scenarios []scenario
	for _, f := range errors {
		f.RequestID = "req_scripted"
		header := http.Header{"Request-Id": {f.RequestID}}
		if f.RetryAfter != "" {
			header.Set("Retry-After", f.RetryAfter)
		}
		if f.ShouldRetry != "" {
			header.Set("X-Should-Retry", f.ShouldRetry)
		}
		name := "error " + strconv.Itoa(f.Status)
		script := []providertest.Reply{providertest.Error(f.Status, f.Type, f.Message, header)}
		scenarios = append(scenarios,
			scenario{name: name, script: script, run: one(whole, say("Hi")), want: result{Failure: &f}},
			scenario{
				name: name + " streamed", script: script, run: one(streamed, say("Hi")), want: result{Failure: &f},
			})
	}
	return append(scenarios, lateFailure(), scenario{
		name: "error unknown model", run: getModel("gone"),
		want: result{Failure: &failure{
			Status: 404, Type: "not_found_error", Message: "model: gone", RequestID: "req_000000000000000000000001",
		}},
	})
}

// lateFailure is an error after the status: only an event can tell it.
func lateFailure() scenario {
	begun := providertest.TextEvents(model, "One two")[:4]
	return scenario{
		name: "error in the stream",
		script: []providertest.Reply{
			providertest.Stream(append(begun, providertest.ErrorEvent("overloaded_error", "Overloaded"))...),
		},
		run: one(streamed, say("Hi")),
		want: result{Failure: &failure{
			Status: 200, Type: "overloaded_error", Message: "Overloaded", RequestID: "req_000000000000000000000001",
		}},
	}
}

// retryScenarios are what the SDK does by itself, led by headers that must therefore arrive.
func retryScenarios() []scenario {
	overloaded := func(header http.Header) providertest.Reply {
		return providertest.Error(529, "overloaded_error", "Overloaded", header)
	}
	attempt := "POST /v1/messages"
	done := []message{{
		ID: "msg_000000000000000000000002", Role: "assistant", Model: model, StopReason: "end_turn",
		Content: []content{{Type: "text", Text: "done"}}, InputTokens: 3, OutputTokens: 1,
	}}
	return []scenario{
		{
			name: "retry after",
			script: []providertest.Reply{
				overloaded(http.Header{"Retry-After": {"1"}}), providertest.Message("done"),
			},
			run:  retried,
			want: result{Messages: done, Upstream: []string{attempt, attempt}, Waited: true},
		},
		{
			name: "retry because told to",
			script: []providertest.Reply{
				providertest.Error(400, "invalid_request_error", "Try again",
					http.Header{"X-Should-Retry": {"true"}, "Retry-After": {"1"}}),
				providertest.Message("done"),
			},
			run:  retried,
			want: result{Messages: done, Upstream: []string{attempt, attempt}, Waited: true},
		},
		{
			name:   "no retry because told so",
			script: []providertest.Reply{overloaded(http.Header{"X-Should-Retry": {"false"}})},
			run:    retried,
			want: result{
				Failure: &failure{
					Status: 529, Type: "overloaded_error", Message: "Overloaded", ShouldRetry: "false",
					RequestID: "req_000000000000000000000001",
				},
				Upstream: []string{attempt},
			},
		},
	}
}

// retried is a call by a client that may try three times. Left to itself it would wait for half a
// second at most, so a second's wait is one that was asked for.
func retried(ctx context.Context, _ *testing.T, tg target) (r result) {
	client := tg.sdk(option.WithMaxRetries(2))
	start := time.Now()
	r.add(client.Messages.New(ctx, say("Hi")))
	r.Waited = time.Since(start) >= time.Second
	r.Upstream = seen(tg.upstream.Requests()...)
	return r
}

// cancelScenarios leave an upstream that has said nothing yet or is in the middle of its answer.
func cancelScenarios() []scenario {
	begun := providertest.TextEvents(model, "One two")[:4]
	want := result{Failure: &failure{Other: "canceled"}, Canceled: []string{"POST /v1/messages"}}
	return []scenario{
		{name: "cancel", run: cancelWaiting(whole), want: want},
		{name: "cancel before the stream", run: cancelWaiting(streamed), want: want},
		{
			name:   "cancel in the stream",
			script: []providertest.Reply{providertest.Stream(append(begun, providertest.Gate(nil))...)},
			run:    cancelStreaming, want: want,
		},
	}
}

// cancelWaiting cancels once the upstream has the request.
func cancelWaiting(call create) func(context.Context, *testing.T, target) result {
	return func(ctx context.Context, t *testing.T, tg target) (r result) {
		t.Helper()
		ctx, cancel := context.WithCancel(ctx)
		tg.upstream.Enqueue(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			providertest.Stall(nil, nil)(w, r)
		})
		r.add(call(ctx, t, tg, say("Hi")))
		r.Canceled = awaitCanceled(t, tg)
		return r
	}
}

// cancelStreaming cancels at the first text.
func cancelStreaming(ctx context.Context, t *testing.T, tg target) (r result) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := tg.sdk()
	stream := client.Messages.NewStreaming(ctx, say("Hi"))
	defer stream.Close()
	for stream.Next() {
		if stream.Current().Type == "content_block_delta" {
			cancel()
		}
	}
	r.Failure = failureOf(stream.Err())
	r.Canceled = awaitCanceled(t, tg)
	return r
}

// awaitCanceled waits for the upstream to notice; the limit only turns a hang into a failure.
func awaitCanceled(t *testing.T, tg target) []string {
	t.Helper()
	select {
	case r := <-tg.upstream.Canceled():
		return seen(r)
	case <-time.After(10 * time.Second):
		t.Error("the upstream does not see that the client has gone")
		return nil
	}
}
