// Package echo is a provider without an upstream: it answers with what it was told. It is there so that an
// application answers before any key is configured, and for tests.
//
// # Configuration
//
// The table [plugins.echo]; see [Config].
//
// # Routes
//
// POST /echo/v1/messages (streaming too), POST /echo/v1/messages/count_tokens, GET /echo/v1/models.
//
// A request that has tools, and whose last user text says "use tool NAME" or "use tool NAME with {…}", is answered
// with a call of that tool.
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
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
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
			Formats: []adapters.Format{adapters.AnthropicMessages},
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
	var req request
	if err := json.Unmarshal(call.Body, &req); err != nil {
		return nil, &ccproxy.Error{
			Status: http.StatusBadRequest, Message: "request does not have the shape of the messages format", Err: err,
		}
	}
	if err := req.check(call.Operation); err != nil {
		return nil, err
	}
	if call.Operation == ccproxy.OpCountTokens {
		return jsonAnswer(map[string]int{"input_tokens": req.tokens()})
	}
	msg := p.reply(call, &req)
	if call.Stream {
		return &ccproxy.Answer{Events: msg.stream(ctx, p.cfg.Delay)}, nil
	}
	return jsonAnswer(msg)
}

func jsonAnswer(v any) (*ccproxy.Answer, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &ccproxy.Answer{
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(b)),
	}, nil
}
