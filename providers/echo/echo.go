// Package echo is a provider without an upstream: it answers with what it was told. It is there so that an
// application answers before any key is configured, and for tests.
//
// # Configuration
//
// The table [plugins.echo]; see [Config].
//
// # Routes
//
// POST /echo/v1/messages, /echo/v1/chat/completions and /echo/v1/responses, whole and streamed, each in its own format;
// POST /echo/v1/messages/count_tokens, GET /echo/v1/models.
//
// The answer is the text of the last message. A text that has orders in it is answered in other ways:
//
//   - "use tool NAME" or "use tool NAME with {…}", where the request has that tool: with a call of it. The result that
//     comes back is echoed like any text. A request that demands a tool by its choice of tools gets a call, too.
//   - "fail with STATUS" at the beginning, with a status from 400 to 599: with that error.
//   - "break with STATUS" at the beginning: with a stream that ends in that error after its first words; as a whole
//     answer it is the error alone.
//
// # Hooks
//
// None.
//
// # Services
//
// None.
package echo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// Name is the plugin's name.
const Name = "echo"

// Config is the plugin's configuration.
type Config struct {
	// Models are the names that the provider lists. Defaults to "echo-1". It answers to any name.
	Models []string `toml:"models" validate:"dive,required"`
	// Prefix is put before every answer. Defaults to nothing.
	Prefix string `toml:"prefix"`
	// Delay is the time between the events of a stream, at most a minute. Defaults to none.
	Delay time.Duration `toml:"delay" validate:"gte=0,lte=60000000000"`
}

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Kind: ccproxy.KindProvider,
		Description: "Answers with what it was told, without a network",
		Config:      ccproxy.ConfigFor(func() *Config { return &Config{Models: []string{"echo-1"}} }),
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{
				adapters.AnthropicMessages, adapters.OpenAIChatCompletions, adapters.OpenAIResponses,
			},
			New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
				cfg, err := ccproxy.ConfigOf[Config](pc)
				if err != nil {
					return nil, err
				}
				return &provider{cfg}, nil
			},
		}},
	}, nil)
}

type provider struct{ cfg *Config }

// Models implements [ccproxy.Provider].
func (p *provider) Models(context.Context) ([]ccproxy.Model, error) {
	var list []ccproxy.Model
	for _, id := range p.cfg.Models {
		list = append(list, ccproxy.Model{ID: id, OwnedBy: Name})
	}
	return list, nil
}

// Do implements [ccproxy.Provider].
func (p *provider) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	codec := codecOf(call.Format)
	if codec == nil || call.Operation != ccproxy.OpGenerate && call.Operation != ccproxy.OpCountTokens {
		return nil, ccproxy.ErrUnsupported
	}
	req, err := codec.Requests().DecodeRequest(call.Body)
	if err != nil {
		return nil, malformed(err)
	}
	if err := check(call, req); err != nil {
		return nil, err
	}
	if call.Operation == ccproxy.OpCountTokens {
		return jsonAnswer(strconv.AppendInt([]byte(`{"input_tokens":`), inputTokens(req), 10), "}"), nil
	}
	told := readTurn(req)
	if told.failure != nil && (!told.midway || !call.Stream) {
		return nil, told.failure
	}
	resp := p.reply(call, req, &told)
	if call.Stream {
		play := player{delay: p.cfg.Delay, resp: resp, failure: told.failure}
		return &ccproxy.Answer{Events: play.events(ctx, codec.EncodeStream(req))}, nil
	}
	body, err := codec.Responses().EncodeResponse(resp, req, nil)
	if err != nil {
		return nil, err
	}
	return jsonAnswer(body, ""), nil
}

// codecOf is the codec of a dialect that echo speaks.
func codecOf(f adapters.Format) adapters.Codec {
	switch f {
	case adapters.AnthropicMessages:
		return anthropic.Codec()
	case adapters.OpenAIChatCompletions:
		return openai.Chat()
	case adapters.OpenAIResponses:
		return openai.Responses()
	default:
		return nil
	}
}

// malformed is the error for a request that its dialect does not know.
func malformed(err error) error {
	text := strings.TrimPrefix(err.Error(), adapters.ErrInvalidInput.Error()+": ")
	param, _, named := strings.Cut(text, ": ")
	if !named || !errors.Is(err, adapters.ErrInvalidInput) || strings.Contains(param, " ") {
		param = ""
	}
	return &ccproxy.Error{Status: http.StatusBadRequest, Param: param, Message: text, Err: err}
}

func jsonAnswer(body []byte, end string) *ccproxy.Answer {
	body = append(body, end...)
	return &ccproxy.Answer{
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}
