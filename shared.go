package ccproxy

import (
	"context"
	"net/http"
)

// modelRouter answers an endpoint whose path names no provider: the model of a request tells whose it is.
type modelRouter struct {
	inlet
	catalog   *catalog
	pipelines map[string]*pipeline // of those that offer the operation, by provider
}

// ServeHTTP implements http.Handler.
func (m *modelRouter) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.serve(w, r, m.choose) }

func (m *modelRouter) choose(ctx context.Context, call *Call) (*pipeline, error) {
	found, err := m.catalog.choose(ctx, call.Model, func(provider string) bool { return m.pipelines[provider] != nil })
	if err != nil {
		if !call.Caller.mayUse(call.ClientModel) { // who may not use it need not know why there is none
			err = errModelNotAllowed()
		}
		return nil, err
	}
	call.Model = found.model
	return m.pipelines[found.name], nil
}

// sharedEndpoints are the endpoints of calls without a provider in their path, for what the providers offer, and the
// list of all models. There are none without a provider.
func (p *Proxy) sharedEndpoints(provided []mountedEndpoint) []mountedEndpoint {
	var out []mountedEndpoint
	add := func(e Endpoint, path string, h http.Handler) {
		out = append(out, mountedEndpoint{
			Endpoint: e, prefix: corePrefix(path), path: path, tags: []string{"core"}, handler: h,
		})
	}
	catalog := p.newCatalog()
	routers := make(map[string]*modelRouter)
	for i := range provided {
		pl, ok := provided[i].handler.(*pipeline)
		if !ok {
			continue
		}
		m := routers[pl.endpoint]
		if m == nil {
			m = &modelRouter{inlet: pl.inlet, catalog: catalog, pipelines: make(map[string]*pipeline)}
			routers[pl.endpoint] = m
			e := provided[i].Endpoint
			e.Summary += ", by model"
			add(e, pl.endpoint, m)
		}
		m.pipelines[pl.name] = pl
		pl.others = m.pipelines
	}
	if len(catalog.providers) == 0 {
		return nil
	}
	models := &mergedModels{catalog: catalog}
	add(Endpoint{Summary: "List the models of all providers"}, "/v1/models", http.HandlerFunc(models.list))
	add(Endpoint{Summary: "Describe a model of any provider"}, "/v1/models/{model}", http.HandlerFunc(models.one))
	return out
}
