package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

type modelCache struct {
	list  []ccproxy.Model
	until time.Time
}

const (
	maxModelsBody  = 8 << 20
	modelsTimeout  = 15 * time.Second
	modelsRetryTTL = 10 * time.Second // how long a failed attempt is not repeated
)

// Models implements [ccproxy.Provider]: the upstream's list, kept for a while, or the static one where there
// is none to be had.
func (p *Provider) Models(ctx context.Context) ([]ccproxy.Model, error) {
	if p.upstream.ModelsPath == "-" {
		return slices.Clone(p.upstream.Models), nil
	}
	p.modelsMu.Lock()
	cached := p.models
	p.modelsMu.Unlock()
	if time.Now().Before(cached.until) {
		return slices.Clone(cached.list), nil
	}
	list, err := p.fetchModels(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	fresh := modelCache{list: list, until: time.Now().Add(p.upstream.ModelsTTL)}
	if err != nil {
		p.pc.Logger.WarnContext(ctx, "models of the provider are not to be had", "error", err)
		if len(cached.list) == 0 && len(p.upstream.Models) == 0 {
			return nil, err
		}
		fresh.until = time.Now().Add(modelsRetryTTL)
		fresh.list = cached.list
		if len(fresh.list) == 0 {
			fresh.list = p.upstream.Models
		}
	}
	p.modelsMu.Lock()
	p.models = fresh
	p.modelsMu.Unlock()
	return slices.Clone(fresh.list), nil
}

// Model implements [ccproxy.ModelDescriber]: models that are not listed, such as aliases, are asked for one by one.
func (p *Provider) Model(ctx context.Context, id string) (ccproxy.Model, error) {
	p.modelsMu.Lock()
	known := p.models.list
	p.modelsMu.Unlock()
	if m, ok := modelIn(known, id); ok {
		return m, nil
	}
	// A dot segment would ask for something else than a model.
	if p.upstream.ModelsPath == "-" || id == "." || id == ".." {
		return ccproxy.Model{}, errNoModel()
	}
	body, err := p.fetch(ctx, p.upstream.ModelsPath+"/"+url.PathEscape(id), "")
	if e, ok := errors.AsType[*ccproxy.Error](err); ok && e.Status != http.StatusNotFound {
		if m, ok := modelIn(p.upstream.Models, id); ok {
			return m, nil
		}
	}
	if err != nil {
		return ccproxy.Model{}, err
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return ccproxy.Model{}, fmt.Errorf("decode model: %w", err)
	}
	m := modelOf(raw)
	if m.ID == "" { // whatever it is, it describes no model
		return ccproxy.Model{}, errNoModel()
	}
	return m, nil
}

func errNoModel() error {
	return &ccproxy.Error{
		Status: http.StatusNotFound, Param: "model", Code: "model_not_found", Message: "model: not found",
	}
}

func modelIn(list []ccproxy.Model, id string) (ccproxy.Model, bool) {
	i := slices.IndexFunc(list, func(m ccproxy.Model) bool { return m.ID == id })
	if i < 0 {
		return ccproxy.Model{}, false
	}
	return list[i], true
}

func (p *Provider) fetchModels(ctx context.Context) ([]ccproxy.Model, error) {
	query := p.upstream.ModelsQuery
	if query == "" && slices.Contains(p.upstream.Formats, adapters.AnthropicMessages) {
		query = "limit=1000" // its pages are of 20; OpenAI's list has none
	}
	body, err := p.fetch(ctx, p.upstream.ModelsPath, query)
	if err != nil {
		return nil, err
	}
	return decodeModels(body)
}

// fetch gets a JSON document from the upstream. An answer with an error is one with the same status.
func (p *Provider) fetch(ctx context.Context, path, query string) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, modelsTimeout)
	defer cancel()
	h := make(http.Header)
	p.setHeaders(h, nil)
	delete(h, "Content-Type")
	u := p.url("", query)
	u.RawPath = u.EscapedPath() + path // path is escaped
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, err
	}
	resp, secrets, err := p.attempt(ctx, nil, http.MethodGet, u, h, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, p.fetchError(resp, secrets)
	}
	defer resp.Body.Close() // what was read is what counts
	in, err := decoded(resp)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(in, maxModelsBody))
}

func (p *Provider) fetchError(resp *http.Response, secrets []string) error {
	ans, err := p.failed(resp, secrets)
	if err != nil {
		return err
	}
	e := &ccproxy.Error{
		Status: ans.Status, Header: ans.Header,
		Message: fmt.Sprintf("the provider answered %d to a request for its models", ans.Status),
	}
	var body struct {
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.NewDecoder(ans.Body).Decode(&body) == nil && body.Error.Message != "" {
		e.Type, e.Message = body.Error.Type, body.Error.Message
	}
	if e.Status < http.StatusBadRequest {
		e.Status = http.StatusBadGateway
	}
	return e
}

// decodeModels reads the lists of Anthropic and OpenAI, which differ in how they tell the time, and of ChatGPT.
func decodeModels(body []byte) ([]ccproxy.Model, error) {
	var list struct {
		Data   []map[string]json.RawMessage `json:"data"`
		Models []map[string]json.RawMessage `json:"models"` // of ChatGPT
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("decode models: %w", err)
	}
	if list.Data == nil {
		list.Data = list.Models
	}
	if list.Data == nil {
		return nil, errors.New("decode models: there is no list in it")
	}
	models := make([]ccproxy.Model, 0, len(list.Data))
	for _, raw := range list.Data {
		if m := modelOf(raw); m.ID != "" {
			models = append(models, m)
		}
	}
	return models, nil
}

func modelOf(raw map[string]json.RawMessage) ccproxy.Model {
	m := ccproxy.Model{Extra: raw}
	take := func(key string, dst any) {
		if v, ok := raw[key]; ok && json.Unmarshal(v, dst) == nil {
			delete(raw, key)
		}
	}
	take("id", &m.ID)
	if slug := raw["slug"]; m.ID == "" && slug != nil { // it stays: its clients look for it
		_ = json.Unmarshal(slug, &m.ID) // a model without an id is left out
	}
	take("display_name", &m.DisplayName)
	take("owned_by", &m.OwnedBy)
	take("created_at", &m.Created)
	var seconds int64
	take("created", &seconds)
	if m.Created.IsZero() && seconds > 0 {
		m.Created = time.Unix(seconds, 0).UTC()
	}
	return m
}
