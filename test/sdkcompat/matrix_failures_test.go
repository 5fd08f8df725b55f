package sdkcompat

import (
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// fault is a problem of an upstream, and how OpenAI's SDK shows it if the upstream speaks another dialect: as OpenAI
// has it, with the type by which the kind is known elsewhere.
type fault struct {
	problem

	converted apiError
}

func faults() []fault {
	openAI := func(status int, typ, code string) apiError { return apiError{status, typ, code} }
	kind := func(status int, typ string) apiError { return apiError{status: status, typ: typ} }
	list := []fault{
		{problem: problem{
			name: "bad request", message: "messages: <must> not be empty",
			anthropic: kind(400, "invalid_request_error"), openAI: openAI(400, "invalid_request_error", ""),
		}},
		{problem: problem{
			name: "too long", message: "prompt is too long: 200001 tokens > 200000 maximum",
			anthropic: kind(400, "invalid_request_error"),
			openAI:    openAI(400, "invalid_request_error", "context_length_exceeded"),
		}},
		{
			problem: problem{
				name: "bad key", message: "invalid key",
				anthropic: kind(401, "authentication_error"), openAI: openAI(401, "invalid_request_error", "invalid_api_key"),
			},
			converted: openAI(401, "authentication_error", "invalid_api_key"),
		},
		{problem: problem{
			name: "no such model", message: "model: gone",
			anthropic: kind(404, "not_found_error"), openAI: openAI(404, "invalid_request_error", "model_not_found"),
		}},
		{problem: problem{
			name: "too large", message: "too large",
			anthropic: kind(413, "request_too_large"), openAI: openAI(413, "invalid_request_error", ""),
		}},
		{
			problem: problem{
				name: "too many", message: "slow down", retryAfter: "17",
				anthropic: kind(429, "rate_limit_error"), openAI: openAI(429, "requests", "rate_limit_exceeded"),
			},
			converted: openAI(429, "rate_limit_error", "rate_limit_exceeded"),
		},
		{problem: problem{
			name: "internal", message: "internal error",
			anthropic: kind(500, "api_error"), openAI: openAI(500, "server_error", ""),
		}},
		{
			problem: problem{
				name: "overloaded", message: "overloaded", retryAfter: "3",
				anthropic: kind(529, "overloaded_error"), openAI: openAI(503, "server_error", ""),
			},
			converted: openAI(503, "server_error", "server_is_overloaded"),
		},
	}
	for i := range list {
		if list[i].converted == (apiError{}) {
			list[i].converted = list[i].openAI
		}
	}
	return list
}

// shown is the error as the client's dialect has it.
func (f *fault) shown(client, upstream string) *failed {
	told := f.openAI
	switch {
	case client == "anthropic":
		told = f.anthropic
	case client != upstream && (client == "anthropic" || upstream == "anthropic" || f.openAI != f.converted):
		told = f.converted
	}
	return &failed{Status: told.status, Type: told.typ, Code: told.code, Message: f.message, RetryAfter: f.retryAfter}
}

// TestMatrixErrors is about errors in place of an answer: a request for a stream gets the same as one for a whole one.
func TestMatrixErrors(t *testing.T) {
	t.Parallel()
	for _, client := range sdks() {
		for _, d := range dialects() {
			for _, f := range faults() {
				for how, stream := range map[string]bool{"whole": false, "streamed": true} {
					t.Run(client.dialect+" to "+d.name+"/"+f.name+" "+how, func(t *testing.T) {
						t.Parallel()
						up := newFake(d, step{fails: &f.problem})
						t.Cleanup(func() { closeFake(t, up) })
						s := client.open(t, up.proxied(t), wish{})
						s.user("Hi")
						same(t, "answer", outcome{Failure: f.shown(client.dialect, d.name)}, s.ask(t.Context(), t, stream))
					})
				}
			}
		}
	}
}

// TestMatrixEarlyErrors is about errors that come with status 200 and nothing before them: nothing of an answer was sent,
// so the client gets the status that belongs to the error.
func TestMatrixEarlyErrors(t *testing.T) {
	t.Parallel()
	tooMany := problem{
		message: "slow down", anthropic: apiError{typ: "rate_limit_error"},
		openAI: apiError{typ: "rate_limit_error", code: "rate_limit_exceeded"},
	}
	overloaded := problem{
		message: "overloaded", anthropic: apiError{typ: "overloaded_error"},
		openAI: apiError{typ: "server_error", code: "server_is_overloaded"},
	}
	for _, test := range []struct {
		name              string
		fails             problem
		anthropic, openAI failed
	}{
		{
			"too many", tooMany,
			failed{Status: 429, Type: "rate_limit_error"},
			failed{Status: 429, Type: "rate_limit_error", Code: "rate_limit_exceeded"},
		},
		{
			"overloaded", overloaded,
			failed{Status: 529, Type: "overloaded_error"},
			failed{Status: 503, Type: "server_error", Code: "server_is_overloaded"},
		},
	} {
		for _, client := range sdks() {
			for _, d := range dialects() {
				t.Run(test.name+"/"+client.dialect+" to "+d.name, func(t *testing.T) {
					t.Parallel()
					up := newFake(d, step{fails: &test.fails, first: true})
					t.Cleanup(func() { closeFake(t, up) })
					s := client.open(t, up.proxied(t), wish{})
					s.user("Hi")
					want := test.openAI
					if client.dialect == "anthropic" {
						want = test.anthropic
					}
					want.Message = test.fails.message
					if client.dialect == "responses" && d.name == "responses" {
						want.Status, want.Type, want.Late = 0, "", true // it is a response, which has failed
					}
					same(t, "answer", outcome{Failure: &want}, s.ask(t.Context(), t, true))
				})
			}
		}
	}
}

// TestMatrixBrokenStreams is about errors after the status, when a part of the answer is there.
func TestMatrixBrokenStreams(t *testing.T) {
	t.Parallel()
	const brokeOff = "the provider's stream broke off"
	for name, test := range map[string]struct {
		step
		anthropic, chat, responses failed
	}{
		"too many": {
			step{fails: &problem{
				message: "slow down", anthropic: apiError{typ: "rate_limit_error"},
				openAI: apiError{typ: "rate_limit_error", code: "rate_limit_exceeded"},
			}, late: true},
			failed{Type: "rate_limit_error", Message: "slow down"},
			failed{Type: "rate_limit_error", Code: "rate_limit_exceeded", Message: "slow down"},
			failed{Code: "rate_limit_exceeded", Message: "slow down"},
		},
		"overloaded": {
			step{fails: &problem{
				message: "overloaded", anthropic: apiError{typ: "overloaded_error"},
				openAI: apiError{typ: "server_error", code: "server_is_overloaded"},
			}, late: true},
			failed{Type: "overloaded_error", Message: "overloaded"},
			failed{Type: "server_error", Code: "server_is_overloaded", Message: "overloaded"},
			failed{Code: "server_is_overloaded", Message: "overloaded"},
		},
		"internal": {
			step{fails: &problem{
				message: "internal error", anthropic: apiError{typ: "api_error"}, openAI: apiError{typ: "server_error"},
			}, late: true},
			failed{Type: "api_error", Message: "internal error"},
			failed{Type: "server_error", Message: "internal error"},
			failed{Code: "server_error", Message: "internal error"},
		},
		"cut": {
			step{cut: true},
			failed{Type: "api_error", Message: brokeOff},
			failed{Type: "server_error", Message: brokeOff},
			failed{Code: "server_error", Message: brokeOff},
		},
		"reset": {
			step{reset: true},
			failed{Type: "api_error", Message: brokeOff},
			failed{Type: "server_error", Message: brokeOff},
			failed{Code: "server_error", Message: brokeOff},
		},
	} {
		for _, client := range sdks() {
			for _, d := range dialects() {
				t.Run(name+"/"+client.dialect+" to "+d.name, func(t *testing.T) {
					t.Parallel()
					broken := test.step
					broken.said = said{Text: "One two", End: "end"}
					up := newFake(d, broken)
					t.Cleanup(func() { closeFake(t, up) })
					s := client.open(t, up.proxied(t), wish{})
					s.user("Hi")
					want := map[string]failed{
						"anthropic": test.anthropic, "chat": test.chat, "responses": test.responses,
					}[client.dialect]
					want.Late = true
					got := s.ask(t.Context(), t, true)
					if got.Failure == nil {
						t.Fatal("a broken stream is taken for a whole one")
					}
					got.Failure.Status = 0
					same(t, "answer", outcome{Failure: &want}, got)
				})
			}
		}
	}
}

// TestMatrixRequestID is about the header in which Anthropic's SDK finds what to quote to an operator.
func TestMatrixRequestID(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			answer := step{said: said{Text: "One two", End: "end"}}
			up := newFake(d, answer, answer)
			t.Cleanup(func() { closeFake(t, up) })
			at := up.proxied(t)
			client := target{baseURL: at.root, client: at.client, apiKey: at.key}.sdk()
			var whole, streamed *http.Response
			if _, err := client.Messages.New(t.Context(), say("Hi"), option.WithResponseInto(&whole)); err != nil {
				t.Fatal(err)
			}
			stream := client.Messages.NewStreaming(t.Context(), say("Hi"), option.WithResponseInto(&streamed))
			for stream.Next() {
				_ = stream.Current()
			}
			for _, r := range []*http.Response{whole, streamed} {
				if r.Header.Get("Request-Id") == "" {
					t.Errorf("headers %v", r.Header)
				}
			}
			_, err := client.Messages.New(t.Context(), say("Hi"), option.WithJSONSet("stream", "perhaps"))
			if f := anthropicFailed(err); f.Status != http.StatusBadRequest || f.NoID || f.Other != "" {
				t.Errorf("an error of the proxy's own is %+v", f)
			}
		})
	}
}

// TestMatrixCountTokens is about the endpoint that only Anthropic's API has.
func TestMatrixCountTokens(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			up := newFake(d)
			up.Handler = nil // the upstream's own behaviour
			t.Cleanup(func() { closeFake(t, up) })
			at := up.proxied(t)
			client := target{baseURL: at.root, client: at.client, apiKey: at.key}.sdk()
			count, err := client.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
				Model:    model,
				Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(strings.Repeat("word ", 9)))},
			})
			if err != nil || count.InputTokens < 5 || count.InputTokens > 30 {
				t.Errorf("count %+v, %v", count, err)
			}
		})
	}
}
