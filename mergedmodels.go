package ccproxy

import (
	"context"
	"encoding/json"
	"net/http"
)

// mergedModels lists the models of all providers, each by a name that leads to it: its own, or that of the provider
// and its own where the latter alone would not.
type mergedModels struct{ catalog *catalog }

// openAIModels is the list in OpenAI's shape, which has no pages.
type openAIModels struct {
	Object string            `json:"object"`
	Data   []json.RawMessage `json:"data"`
}

// anthropicModels is a page in Anthropic's shape.
type anthropicModels struct {
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
	FirstID *string           `json:"first_id"`
	LastID  *string           `json:"last_id"`
}

// shapeFor tells the clients of Anthropic's API by the header that all of them send.
func shapeFor(r *http.Request) modelShape {
	if r.Header.Get("Anthropic-Version") != "" {
		return anthropicShape
	}
	return openAIShape
}

func (h *mergedModels) list(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	if err := h.catalog.load(r.Context()); err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	models := h.merged(r.Context())
	w.Header().Add("Vary", "Anthropic-Version")
	shape := shapeFor(r)
	if shape == openAIShape {
		writeJSON(w, http.StatusOK, openAIModels{Object: "list", Data: encodeModels(models, shape)})
		return
	}
	page, more, err := modelPage(models, r)
	if err != nil {
		ex.fail(w, err)
		return
	}
	out := anthropicModels{Data: encodeModels(page, shape), HasMore: more}
	if len(page) > 0 {
		out.FirstID, out.LastID = &page[0].ID, &page[len(page)-1].ID
	}
	writeJSON(w, http.StatusOK, out)
}

// merged are the models that the caller may use.
func (h *mergedModels) merged(ctx context.Context) []Model {
	caller, _ := CallerFrom(ctx)
	var out []Model
	for _, l := range h.catalog.providers {
		for _, m := range l.list() {
			name := m.ID
			if !h.catalog.plain(l, m.ID) {
				name = l.name + "/" + m.ID
			}
			if !caller.mayCall(l.name, m.ID, name) {
				continue
			}
			out = append(out, m.as(name, l.name))
		}
	}
	return out
}

// as is the model under the name that leads to it.
func (card Model) as(name, provider string) Model {
	if card.DisplayName == "" {
		card.DisplayName = card.ID
	}
	if card.OwnedBy == "" {
		card.OwnedBy = provider
	}
	card.ID = name
	return card
}

func encodeModels(models []Model, shape modelShape) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(models))
	for _, m := range models {
		out = append(out, encodeModel(m, m.OwnedBy, shape))
	}
	return out
}

func (h *mergedModels) one(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	id := r.PathValue("model")
	m, err := h.find(r.Context(), ex, id)
	if err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	w.Header().Add("Vary", "Anthropic-Version")
	writeJSON(w, http.StatusOK, encodeModel(m, m.OwnedBy, shapeFor(r)))
}

// find describes a model that a client may ask for by this name.
func (h *mergedModels) find(ctx context.Context, ex *exchange, id string) (Model, error) {
	caller, _ := CallerFrom(ctx)
	found, err := h.catalog.choose(ctx, id, everywhere)
	if err != nil {
		if !caller.mayUse(id) {
			err = unknownModel(id)
		}
		return Model{}, err
	}
	if !caller.mayCall(found.name, found.model, id) { // what is not listed is not there
		return Model{}, unknownModel(id)
	}
	ex.provider = found.name
	target := found.target(found.model)
	m, ok := found.listing.model(target)
	if !ok {
		l := found.listing
		one := &modelsHandler{name: l.name, provider: l.provider, cards: l.cards, logger: l.owner.logger}
		if m, err = one.find(ctx, target); err != nil {
			return Model{}, err
		}
	}
	return m.as(id, found.name), nil
}

// target is the model that the provider is asked for under a name.
func (l *listing) target(model string) string {
	if target := l.mapped.target(model); target != "" {
		return target
	}
	if target := l.own.target(model); target != "" {
		return target
	}
	return model
}
