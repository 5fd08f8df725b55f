package ccproxy

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
)

// modelsHandler lists the models of one provider. Its objects have the members of both Anthropic's and OpenAI's
// lists, so that the clients of either read them.
type modelsHandler struct {
	name     string
	provider Provider
	cards    []Model
	logger   *slog.Logger
}

type modelList struct {
	Object  string            `json:"object"`
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
	FirstID *string           `json:"first_id"`
	LastID  *string           `json:"last_id"`
	Models  []json.RawMessage `json:"models,omitempty"` // those with a slug, where the Codex CLI looks for them
}

func (h *modelsHandler) list(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	ex.provider = h.name
	models, err := h.all(r.Context())
	if err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	if c, ok := CallerFrom(r.Context()); ok { // what a key may not use it need not see
		models = slices.DeleteFunc(slices.Clone(models), func(m Model) bool { return !c.mayCall(h.name, m.ID, m.ID) })
	}
	page, more, err := modelPage(models, r)
	if err != nil {
		ex.fail(w, err)
		return
	}
	out := modelList{Object: "list", Data: []json.RawMessage{}, HasMore: more}
	for _, m := range page {
		out.Data = append(out.Data, encodeModel(m, h.name, bothShapes))
		if m.Extra["slug"] != nil {
			out.Models = append(out.Models, out.Data[len(out.Data)-1])
		}
	}
	if len(page) > 0 {
		out.FirstID, out.LastID = &page[0].ID, &page[len(page)-1].ID
	}
	writeJSON(w, http.StatusOK, out)
}

// all are the provider's models with what the cards say of them, or the cards alone where it cannot list any.
func (h *modelsHandler) all(ctx context.Context) ([]Model, error) {
	models, err := h.provider.Models(ctx)
	if err != nil {
		if len(h.cards) == 0 || ctx.Err() != nil {
			return nil, err
		}
		h.logger.WarnContext(ctx, "models of the provider are not to be had", "provider", h.name, "error", err)
	}
	return withCards(models, h.cards), nil
}

func (h *modelsHandler) one(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	ex.provider = h.name
	id := r.PathValue("model")
	if c, ok := CallerFrom(r.Context()); ok && !c.mayCall(h.name, id, id) { // what is not listed is not there
		ex.fail(w, unknownModel(id))
		return
	}
	m, err := h.find(r.Context(), id)
	if err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	writeJSON(w, http.StatusOK, encodeModel(m, h.name, bothShapes))
}

// find asks the provider for a model. What it does not tell, a card may.
func (h *modelsHandler) find(ctx context.Context, id string) (Model, error) {
	card, hasCard := modelIn(h.cards, id)
	if d, ok := h.provider.(ModelDescriber); ok {
		m, err := d.Model(ctx, id)
		switch {
		case err == nil && hasCard:
			return card.over(m), nil
		case err != nil && hasCard && ctx.Err() == nil:
			return card, nil
		}
		return m, err
	}
	models, err := h.all(ctx)
	if err != nil {
		return Model{}, err
	}
	if m, ok := modelIn(models, id); ok {
		return m, nil
	}
	return Model{}, unknownModel(id)
}

func unknownModel(id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Param: "model", Code: "model_not_found", Message: "model: " + printable(id),
	}
}

// modelPage applies the paging parameters of Anthropic's list. Without a limit the list is whole.
func modelPage(models []Model, r *http.Request) (page []Model, more bool, err error) {
	q := r.URL.Query()
	index := func(id string) int {
		for i := range models {
			if models[i].ID == id {
				return i
			}
		}
		return -1
	}
	if id := q.Get("after_id"); id != "" {
		models = models[index(id)+1:]
	}
	backward := false
	if id := q.Get("before_id"); id != "" {
		if i := index(id); i >= 0 {
			models, backward = models[:i], true
		}
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return nil, false, badRequest("limit", "limit: must be a number from 1 to 1000")
		}
		switch {
		case n >= len(models):
		case backward: // the page is the one that ends before the id
			return models[len(models)-n:], true, nil
		default:
			return models[:n], true, nil
		}
	}
	return models, false, nil
}
