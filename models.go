package ccproxy

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// modelsHandler lists the models of one provider. Its objects have the members of both Anthropic's and OpenAI's
// lists, so that the clients of either read them.
type modelsHandler struct {
	proxy    *Proxy
	name     string
	provider Provider
}

type modelList struct {
	Object  string            `json:"object"`
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
	FirstID *string           `json:"first_id"`
	LastID  *string           `json:"last_id"`
}

func (h *modelsHandler) list(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	ex.provider = h.name
	models, err := h.provider.Models(r.Context())
	if err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	if c, ok := CallerFrom(r.Context()); ok { // what a key may not use it need not see
		models = slices.DeleteFunc(slices.Clone(models), func(m Model) bool { return !c.mayUse(m.ID) })
	}
	page, more, err := modelPage(models, r)
	if err != nil {
		ex.fail(w, err)
		return
	}
	out := modelList{Object: "list", Data: []json.RawMessage{}, HasMore: more}
	for _, m := range page {
		out.Data = append(out.Data, h.encode(m))
	}
	if len(page) > 0 {
		out.FirstID, out.LastID = &page[0].ID, &page[len(page)-1].ID
	}
	writeJSON(w, http.StatusOK, out)
}

func (h *modelsHandler) one(w http.ResponseWriter, r *http.Request) {
	ex := exchangeFrom(r.Context())
	ex.provider = h.name
	m, err := h.find(r.Context(), r.PathValue("model"))
	if err != nil {
		ex.fail(w, cause(r.Context(), err))
		return
	}
	writeJSON(w, http.StatusOK, h.encode(m))
}

func (h *modelsHandler) find(ctx context.Context, id string) (Model, error) {
	if d, ok := h.provider.(ModelDescriber); ok {
		return d.Model(ctx, id)
	}
	models, err := h.provider.Models(ctx)
	if err != nil {
		return Model{}, err
	}
	for _, m := range models {
		if m.ID == id {
			return m, nil
		}
	}
	return Model{}, &Error{
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

func (h *modelsHandler) encode(m Model) json.RawMessage {
	out := make(map[string]any, len(m.Extra)+7)
	for k, v := range m.Extra {
		out[k] = v
	}
	out["id"], out["type"], out["object"] = m.ID, "model", "model"
	out["display_name"], out["owned_by"] = m.DisplayName, m.OwnedBy
	if m.DisplayName == "" {
		out["display_name"] = m.ID
	}
	if m.OwnedBy == "" {
		out["owned_by"] = h.name
	}
	created := m.Created
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	out["created"], out["created_at"] = created.Unix(), created.UTC().Format(time.RFC3339)
	b, err := json.Marshal(out)
	if err != nil && m.Extra != nil { // it is not JSON
		m.Extra = nil
		return h.encode(m)
	}
	return b
}
