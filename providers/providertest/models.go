package providertest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const modelsPath = "/v1/models"

// model is an entry of the model list.
type model struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

func newModel(id string) model {
	name := strings.ReplaceAll(id, "-", " ")
	return model{Type: "model", ID: id, DisplayName: name, CreatedAt: "2026-01-01T00:00:00Z"}
}

func (u *Upstream) models() []string {
	if u.Models != nil {
		return u.Models
	}
	return []string{"claude-fake-3", "claude-fake-2", "claude-fake-1"}
}

func (u *Upstream) serveModel(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, modelsPath+"/")
	if !slices.Contains(u.models(), id) {
		Error(http.StatusNotFound, "not_found_error", "model: "+id, nil)(w, r)
		return
	}
	writeJSON(w, r, http.StatusOK, nil, newModel(id))
}

func (u *Upstream) serveModels(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := 20
	if s := query.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			invalid("limit: must be a number from 1 to 1000")(w, r)
			return
		}
		limit = n
	}
	page, more := cutPage(u.models(), query.Get("after_id"), query.Get("before_id"), limit)
	list := struct {
		Data    []model `json:"data"`
		HasMore bool    `json:"has_more"`
		FirstID *string `json:"first_id"`
		LastID  *string `json:"last_id"`
	}{Data: []model{}, HasMore: more}
	for i, id := range page {
		list.Data = append(list.Data, newModel(id))
		if i == 0 {
			list.FirstID = &id
		}
		list.LastID = &id
	}
	writeJSON(w, r, http.StatusOK, nil, list)
}

// cutPage returns at most limit ids after or before the named one and whether the direction goes on.
func cutPage(ids []string, after, before string, limit int) ([]string, bool) {
	if i := slices.Index(ids, before); i >= 0 {
		start := max(0, i-limit)
		return ids[start:i], start > 0
	}
	if i := slices.Index(ids, after); i >= 0 {
		ids = ids[i+1:]
	}
	if len(ids) > limit {
		return ids[:limit], true
	}
	return ids, false
}
