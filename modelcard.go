package ccproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// Model describes a model of a provider, as the provider lists it or as a card in the settings says.
type Model struct {
	// ID is the name by which the provider is asked for the model. Required.
	ID string `toml:"id"`
	// DisplayName defaults to ID.
	DisplayName string `toml:"display_name"`
	// Created is when the model was released; zero if unknown.
	Created time.Time `toml:"created"`
	// OwnedBy defaults to the provider's name.
	OwnedBy string `toml:"owned_by"`
	// ContextWindow is the most tokens that go into the model; zero if unknown.
	ContextWindow int64 `toml:"context_window"`
	// MaxOutputTokens is the most tokens of one answer; zero if unknown.
	MaxOutputTokens int64 `toml:"max_output_tokens"`
	// Extra are members of the model's JSON object that the fields above do not hold, as the upstream sent them.
	Extra map[string]json.RawMessage `toml:"-"`
}

// over is a card on top of what the provider says: what the card leaves out is the provider's.
func (card Model) over(m Model) Model {
	if card.DisplayName != "" {
		m.DisplayName = card.DisplayName
	}
	if !card.Created.IsZero() {
		m.Created = card.Created
	}
	if card.OwnedBy != "" {
		m.OwnedBy = card.OwnedBy
	}
	if card.ContextWindow > 0 {
		m.ContextWindow = card.ContextWindow
	}
	if card.MaxOutputTokens > 0 {
		m.MaxOutputTokens = card.MaxOutputTokens
	}
	if card.Extra != nil {
		extra := maps.Clone(m.Extra)
		if extra == nil {
			extra = make(map[string]json.RawMessage, len(card.Extra))
		}
		maps.Copy(extra, card.Extra)
		m.Extra = extra
	}
	return m
}

// withCards completes a list with what the cards say, and adds the models that only the cards have.
func withCards(list, cards []Model) []Model {
	if len(cards) == 0 {
		return list
	}
	list = slices.Clone(list)
	for _, card := range cards {
		if i := modelIndex(list, card.ID); i >= 0 {
			list[i] = card.over(list[i])
			continue
		}
		list = append(list, card)
	}
	return list
}

func modelIndex(list []Model, id string) int {
	return slices.IndexFunc(list, func(m Model) bool { return m.ID == id })
}

func modelIn(list []Model, id string) (Model, bool) {
	i := modelIndex(list, id)
	if i < 0 {
		return Model{}, false
	}
	return list[i], true
}

func cloneModels(list []Model) []Model {
	list = slices.Clone(list)
	for i := range list {
		list[i].Extra = maps.Clone(list[i].Extra)
	}
	return list
}

// modelCards are the cards of all providers that run, by the providers' names.
func modelCards(s Settings, pl *plan) (map[string][]Model, error) {
	out := make(map[string][]Model)
	var errs []error
	for _, plugin := range pl.resolution.Order {
		for _, spec := range pl.plugins[plugin].manifest.Providers {
			name := spec.name(plugin)
			where, cards := "models of provider "+name, spec.Models
			if own, ok := s.Models[name]; ok {
				where, cards = "models."+name, own
			}
			if err := checkCards(where, cards); err != nil {
				errs = append(errs, &PluginError{Plugin: plugin, Op: "configure", Err: err})
			}
			out[name] = cards
		}
	}
	known := pl.providerNames()
	for _, name := range slices.Sorted(maps.Keys(s.Models)) {
		if !slices.Contains(known, name) {
			hint := nearest.Hint(name, known)
			errs = append(errs, fmt.Errorf("models.%s: no such provider%s: %w", name, hint, ErrConfig))
		}
	}
	return out, errors.Join(errs...)
}

func checkCards(where string, cards []Model) error {
	var errs []error
	for i, card := range cards {
		fail := func(what string) { errs = append(errs, fmt.Errorf("%s[%d]: %s: %w", where, i, what, ErrConfig)) }
		switch {
		case card.ID == "":
			fail("id: must not be empty")
		case modelIndex(cards, card.ID) < i:
			fail("id: is there twice")
		}
		if card.ContextWindow < 0 {
			fail("context_window: must not be negative")
		}
		if card.MaxOutputTokens < 0 {
			fail("max_output_tokens: must not be negative")
		}
	}
	return errors.Join(errs...)
}

// providerNames are the providers of all registered plugins, also of those that do not run.
func (p *plan) providerNames() []string {
	var known []string
	for _, m := range p.manifests {
		for _, spec := range m.Providers {
			known = append(known, spec.name(m.Name))
		}
	}
	return known
}

// modelShape says whose members a model's object has.
type modelShape uint8

const (
	bothShapes modelShape = iota
	anthropicShape
	openAIShape
)

// encodeModel writes a model's object. owner is what it is owned by where it does not say.
func encodeModel(m Model, owner string, shape modelShape) json.RawMessage {
	out := make(map[string]any, len(m.Extra)+10)
	for k, v := range m.Extra {
		out[k] = v
	}
	delete(out, "type")
	delete(out, "object")
	created := m.Created
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	set := func(key string, tokens int64) {
		if tokens > 0 {
			out[key] = tokens
		}
	}
	out["id"] = m.ID
	if shape != openAIShape {
		out["type"], out["created_at"] = "model", created.UTC().Format(time.RFC3339)
		set("max_input_tokens", m.ContextWindow)
		set("max_tokens", m.MaxOutputTokens)
	}
	if shape != anthropicShape {
		out["object"], out["created"], out["owned_by"] = "model", created.Unix(), m.OwnedBy
		if m.OwnedBy == "" {
			out["owned_by"] = owner
		}
		set("context_window", m.ContextWindow)
		set("max_output_tokens", m.MaxOutputTokens)
	}
	if out["display_name"] = m.DisplayName; m.DisplayName == "" {
		out["display_name"] = m.ID
	}
	b, err := json.Marshal(out)
	if err != nil && m.Extra != nil { // it is not JSON
		m.Extra = nil
		return encodeModel(m, owner, shape)
	}
	return b
}
