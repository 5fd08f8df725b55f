package codex

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/providers"
)

// provider asks one of the two backends.
type provider struct {
	*providers.Provider
	rules *rules // nil for OpenAI's API
}

var (
	_ ccproxy.Provider       = (*provider)(nil)
	_ ccproxy.ModelDescriber = (*provider)(nil)
)

func newProvider(pc *ccproxy.PluginContext, c *Config) (*provider, error) {
	creds, err := credentials(pc, c)
	if err != nil {
		return nil, err
	}
	u := upstream(c)
	u.Credentials = creds
	p := &provider{}
	if c.backend() == backendChatGPT {
		if p.rules, err = newRules(c); err != nil {
			return nil, err
		}
	}
	p.Provider, err = providers.NewProvider(pc, u)
	return p, err
}

// upstream describes the backend, without its credentials.
func upstream(c *Config) providers.Upstream {
	u := providers.Upstream{
		BaseURL: strings.TrimRight(c.baseURL(), "/"), Formats: formats(), CLI: "codex", Models: models(c.Models),
		Header: headers(c.Headers), DefaultHeader: headers(c.DefaultHeaders), ModelsPath: "/models",
		RequestHeaders: append([]string{
			"Originator", "Version", "Session-Id", "Thread-Id", "Session_id", "Conversation_id",
			"X-Codex-*", "X-OpenAI-*",
		}, c.ForwardHeaders...),
		Path: func(op ccproxy.Operation, f adapters.Format) string {
			return strings.TrimPrefix(providers.DefaultPath(op, f), "/v1")
		},
	}
	if c.AccountID != "" {
		u.Header.Set(accountHeader, c.AccountID)
	}
	if c.backend() == backendOpenAI {
		return u
	}
	if u.DefaultHeader.Get("OpenAI-Beta") == "" {
		u.DefaultHeader.Set("OpenAI-Beta", "responses=experimental")
	}
	u.ModelsPath = "-"
	if c.ClientVersion != "" {
		u.ModelsPath, u.ModelsQuery = "/models", "client_version="+url.QueryEscape(c.ClientVersion)
	}
	return u
}

func formats() []adapters.Format { return []adapters.Format{adapters.OpenAIResponses} }

func headers(values map[string]string) http.Header {
	h := make(http.Header, len(values)+1)
	for name, value := range values {
		h.Set(name, value)
	}
	return h
}

// Do implements [ccproxy.Provider].
func (p *provider) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	asked, generates := call, call.Operation == ccproxy.OpGenerate
	if p.rules != nil && generates {
		c, err := p.streamed(call)
		if err != nil {
			return nil, err
		}
		asked = c
	}
	if p.rules != nil && call.Operation == ccproxy.OpCompact { // byte for byte, but in the session of the conversation
		c := *call
		c.Query, c.Header = "", header(call, sessionID(call.Session))
		c.Header["Accept"] = []string{"application/json"}
		asked = &c
	}
	ans, err := p.Provider.Do(ctx, asked)
	if err != nil {
		return nil, err
	}
	if ans.Status >= http.StatusBadRequest {
		return failure(ans)
	}
	switch {
	case p.rules == nil || !generates || !ans.Stream || call.ClientFormat != adapters.OpenAIResponses:
		return ans, nil
	case call.Stream:
		ans.Body = newFilled(ans.Body)
		return ans, nil
	default:
		return whole(ctx, ans)
	}
}

// streamed is the call that ChatGPT is asked. It only streams.
func (p *provider) streamed(call *ccproxy.Call) (*ccproxy.Call, error) {
	session := sessionID(call.Session)
	itself := strings.HasPrefix(call.Header.Get("Originator"), "codex")
	body, lost, err := p.rules.apply(call.Body, call.ClientFormat, session, itself)
	if err != nil {
		return nil, err
	}
	if err := call.Lose(lost...); err != nil {
		return nil, err
	}
	asked := *call
	asked.Body, asked.Stream, asked.Query, asked.Header = body, true, "", header(call, session)
	return &asked, nil
}

// models are the static list.
func models(configured []string) []ccproxy.Model {
	if configured == nil {
		configured = []string{"gpt-5.5", "gpt-5.4", "gpt-5.3-codex", "gpt-5.2-codex"}
	}
	list := make([]ccproxy.Model, 0, len(configured))
	for _, id := range configured {
		slug := json.RawMessage(rawjson.AppendString(nil, id)) // what Codex calls the id
		list = append(list, ccproxy.Model{ID: id, OwnedBy: "openai", Extra: map[string]json.RawMessage{"slug": slug}})
	}
	return list
}
