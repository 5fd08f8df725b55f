package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
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
		p.pc.Logger.Warn("models of the provider are not to be had", "error", err)
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

func (p *Provider) fetchModels(ctx context.Context) ([]ccproxy.Model, error) {
	ctx, cancel := context.WithTimeout(ctx, modelsTimeout)
	defer cancel()
	h := make(http.Header)
	p.setHeaders(h, nil)
	delete(h, "Content-Type")
	req, _, err := p.newRequest(ctx, http.MethodGet, p.url(p.upstream.ModelsPath, "limit=1000"), h, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Transport.RoundTrip(req)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // what was read is what counts
	if resp.StatusCode != http.StatusOK {
		return nil, &ccproxy.Error{
			Status: http.StatusBadGateway, Message: fmt.Sprintf("the provider answered %d to a request for its models", resp.StatusCode),
		}
	}
	in, err := decoded(resp)
	if err != nil {
		return nil, err
	}
	return decodeModels(io.LimitReader(in, maxModelsBody))
}

// decodeModels reads Anthropic's and OpenAI's lists, which differ in how they tell the time.
func decodeModels(in io.Reader) ([]ccproxy.Model, error) {
	var list struct {
		Data []map[string]json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return nil, fmt.Errorf("decode models: %w", err)
	}
	models := make([]ccproxy.Model, 0, len(list.Data))
	for _, raw := range list.Data {
		m := ccproxy.Model{Extra: raw}
		take := func(key string, dst any) {
			if v, ok := raw[key]; ok && json.Unmarshal(v, dst) == nil {
				delete(raw, key)
			}
		}
		take("id", &m.ID)
		take("display_name", &m.DisplayName)
		take("owned_by", &m.OwnedBy)
		take("created_at", &m.Created)
		var seconds int64
		take("created", &seconds)
		if m.Created.IsZero() && seconds > 0 {
			m.Created = time.Unix(seconds, 0).UTC()
		}
		if m.ID != "" {
			models = append(models, m)
		}
	}
	return models, nil
}
