package pricing

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// handler answers /pricing.
type handler struct{ prices *Prices }

// ratesView is [Rates] in dollars for a million tokens, as text.
type ratesView struct {
	Input        string `json:"input"`
	Output       string `json:"output"`
	CacheRead    string `json:"cache_read"`
	CacheWrite5m string `json:"cache_write_5m"`
	CacheWrite1h string `json:"cache_write_1h"`
}

const million = 1_000_000

func viewRates(r Rates) ratesView {
	per := func(a Amount) string { return a.times(million).String() }
	return ratesView{per(r.Input), per(r.Output), per(r.CacheRead), per(r.CacheWrite5m), per(r.CacheWrite1h)}
}

func viewTiers(tiers map[string]Rates) map[string]ratesView {
	if len(tiers) == 0 {
		return nil
	}
	out := make(map[string]ratesView, len(tiers))
	for name, r := range tiers {
		out[name] = viewRates(r)
	}
	return out
}

type longView struct {
	Above int64                `json:"above_tokens"`
	Rates ratesView            `json:"usd_per_million"`
	Tiers map[string]ratesView `json:"tiers,omitempty"`
}

type priceView struct {
	Model           string               `json:"model"`
	Vendor          string               `json:"vendor,omitempty"`
	Aliases         []string             `json:"aliases,omitempty"`
	MaxInputTokens  int64                `json:"max_input_tokens,omitempty"`
	MaxOutputTokens int64                `json:"max_output_tokens,omitempty"`
	Rates           ratesView            `json:"usd_per_million"`
	Tiers           map[string]ratesView `json:"tiers,omitempty"`
	LongContext     *longView            `json:"long_context,omitempty"`
}

func viewPrice(p *Price) priceView {
	v := priceView{
		Model: p.Model, Vendor: p.Vendor, Aliases: p.Aliases, MaxInputTokens: p.MaxInputTokens,
		MaxOutputTokens: p.MaxOutputTokens, Rates: viewRates(p.Rates), Tiers: viewTiers(p.Tiers),
	}
	if l := p.LongContext; l != nil {
		v.LongContext = &longView{Above: l.Above, Rates: viewRates(l.Rates), Tiers: viewTiers(l.Tiers)}
	}
	return v
}

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/lookup") {
		h.lookup(w, r.URL.Query().Get("model"))
		return
	}
	source, date := h.prices.Source()
	all := h.prices.All()
	models := make([]priceView, len(all))
	for i := range all {
		models[i] = viewPrice(&all[i])
	}
	write(w, http.StatusOK, map[string]any{"source": source, "date": date.Format(time.DateOnly), "models": models})
}

func (h handler) lookup(w http.ResponseWriter, model string) {
	if model == "" {
		fail(w, http.StatusBadRequest, "invalid_request_error", "model: missing from the query", nil)
		return
	}
	p, err := h.prices.Lookup(model)
	if unknown, ok := errors.AsType[*UnknownModelError](err); ok {
		fail(w, http.StatusNotFound, "not_found_error", err.Error(), unknown.Nearest)
		return
	}
	write(w, http.StatusOK, viewPrice(&p))
}

func fail(w http.ResponseWriter, status int, typ, message string, nearest []string) {
	e := map[string]any{"type": typ, "message": message}
	if len(nearest) > 0 {
		e["nearest"] = nearest
	}
	write(w, status, map[string]any{"error": e})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // a client that is gone needs no answer
}
