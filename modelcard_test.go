package ccproxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

// What a card says counts more than what the provider lists, and stands alone where that lists nothing.
func TestModelCards(t *testing.T) {
	t.Parallel()
	spec := []ccproxy.Model{{ID: "a", DisplayName: "Spec", ContextWindow: 5}, {ID: "card"}}
	set := []ccproxy.Model{{ID: "b", DisplayName: "Set", MaxOutputTokens: 7}}
	upstream := func(context.Context) ([]ccproxy.Model, error) {
		return []ccproxy.Model{{ID: "a", DisplayName: "Up", MaxOutputTokens: 9}, {ID: "b"}}, nil
	}
	failing := func(context.Context) ([]ccproxy.Model, error) { return nil, errPlanned }
	tests := []struct {
		name  string
		list  func(context.Context) ([]ccproxy.Model, error)
		cards map[string][]ccproxy.Model // of the settings
		want  string                     // id, display name, context window, most output
	}{
		{"of the provider", upstream, nil, "a Spec 5 9, b b 0 0, card card 0 0"},
		{"of the settings", upstream, map[string][]ccproxy.Model{"one": set}, "a Up 0 9, b Set 0 7"},
		{"none by the settings", upstream, map[string][]ccproxy.Model{"one": {}}, "a Up 0 9, b b 0 0"},
		{"of another", upstream, map[string][]ccproxy.Model{"two": {{ID: "z"}}}, "a Spec 5 9, b b 0 0, card card 0 0"},
		{"provider cannot list", failing, nil, "a Spec 5 0, card card 0 0"},
		{"provider cannot list, cards of the settings", failing, map[string][]ccproxy.Model{"one": set}, "b Set 0 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			one := &shelf{name: "one", list: test.list, cards: spec}
			p := running(t, ccproxy.Settings{Models: test.cards}, factoriesOf(one, &shelf{name: "two", list: failing}))
			for _, path := range []string{"/one/v1/models", "/v1/models"} {
				var page struct {
					Data []struct {
						ID        string
						Name      string `json:"display_name"`
						Window    int    `json:"context_window"`
						MaxOutput int    `json:"max_output_tokens"`
						Object    string
					}
				}
				rec := visit(p, http.MethodGet, path, "")
				if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
					t.Fatal(rec.Code, err)
				}
				var got []string
				for _, m := range page.Data {
					line, _ := json.Marshal([]any{m.ID, m.Name, m.Window, m.MaxOutput})
					got = append(got, strings.NewReplacer("[", "", "]", "", `"`, "", ",", " ").Replace(string(line)))
				}
				if path == "/v1/models" && test.name == "of another" {
					got = got[:3] // what follows are the cards of two
				}
				if diff := cmp.Diff(test.want, strings.Join(got, ", ")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
			id := strings.Fields(test.want)[0]
			if rec := visit(p, http.MethodGet, "/one/v1/models/"+id, ""); rec.Code != http.StatusOK {
				t.Errorf("GET of %s: %d %s", id, rec.Code, rec.Body)
			}
		})
	}
}

// Without cards, a provider that cannot list says so.
func TestNoCardsNoList(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, factoriesOf(&shelf{
		name: "one", list: func(context.Context) ([]ccproxy.Model, error) { return nil, errPlanned },
	}))
	if rec := visit(p, http.MethodGet, "/one/v1/models", ""); rec.Code != http.StatusBadGateway {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if ids := listedIDs(t, visit(p, http.MethodGet, "/v1/models", "")); len(ids) != 0 {
		t.Errorf("merged list = %v", ids)
	}
}

// A card may be asked for one by one where the provider describes models by itself.
func TestCardOfADescriber(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, settings: ccproxy.Settings{Models: map[string][]ccproxy.Model{
		"claude": {{ID: "preview", DisplayName: "Preview"}, {ID: "plain", ContextWindow: 42}},
	}}})
	r.upstream.Models = []string{"plain"}
	for id, want := range map[string]string{"preview": `"display_name":"Preview"`, "plain": `"max_input_tokens":42`} {
		rec := r.do(t, http.MethodGet, "/claude/v1/models/"+id, nil, nil)
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s: %d %s", id, rec.Code, rec.Body)
		}
	}
	if rec := r.do(t, http.MethodGet, "/claude/v1/models/gone", nil, nil); rec.Code != http.StatusNotFound {
		t.Errorf("gone: %d %s", rec.Code, rec.Body)
	}
}

func TestBadModelCards(t *testing.T) {
	t.Parallel()
	for names, cards := range map[string]map[string][]ccproxy.Model{
		"models.one[0]: id: must not be empty":                  {"one": {{DisplayName: "x"}}},
		"models.one[1]: id: is there twice":                     {"one": {{ID: "x"}, {ID: "x"}}},
		"models.one[0]: context_window":                         {"one": {{ID: "x", ContextWindow: -1}}},
		"models.one[0]: max_output_tokens":                      {"one": {{ID: "x", MaxOutputTokens: -1}}},
		`models.on: no such provider (did you mean "one"?)`:     {"on": {{ID: "x"}}},
		"models of provider one[0]: id: must not be empty: inv": nil,
	} {
		one := &shelf{name: "one"}
		if cards == nil {
			one.cards = []ccproxy.Model{{}}
		}
		_, err := registryOf(t, one.factory()).Build(ccproxy.Settings{Models: cards})
		if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), names) {
			t.Errorf("error = %v, want one that names %q", err, names)
		}
	}
}

// The settings that a proxy is built from stay the application's own.
func TestCardsAreCopied(t *testing.T) {
	t.Parallel()
	cards := map[string][]ccproxy.Model{"one": {{ID: "m", DisplayName: "then", Extra: map[string]json.RawMessage{"x": []byte("1")}}}}
	p := running(t, ccproxy.Settings{Models: cards}, factoriesOf(&shelf{name: "one"}))
	cards["one"][0].DisplayName = "now"
	cards["one"][0].Extra["x"] = []byte("2")
	if rec := visit(p, http.MethodGet, "/one/v1/models/m", ""); !strings.Contains(rec.Body.String(), "then") || !strings.Contains(rec.Body.String(), `"x":1`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
