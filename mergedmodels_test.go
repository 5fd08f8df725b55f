package ccproxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// library is a proxy whose providers have models of the same names, and names that look like another's.
func library(t *testing.T) (*ccproxy.Proxy, []*shelf) {
	t.Helper()
	shelves := []*shelf{
		{name: "claude", list: models("c-1", "both", "claude/c-2", "taken")},
		{name: "open", formats: []adapters.Format{chat}, list: models("g-4", "both", "claude/c-1", "org/m")},
		{name: "down", list: func(context.Context) ([]ccproxy.Model, error) { return nil, errPlanned }},
	}
	return running(t, ccproxy.Settings{ModelMappings: map[string][]ccproxy.ModelRule{
		"open": {{Match: "taken", Target: "g-4"}},
	}}, factoriesOf(shelves...)), shelves
}

// get sends a GET as a client of Anthropic's API or of OpenAI's.
func get(h http.Handler, target string, anthropic bool, caller *ccproxy.Caller) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	if anthropic {
		r.Header.Set("Anthropic-Version", "2023-06-01")
	}
	if caller != nil {
		r = r.WithContext(ccproxy.ContextWithCaller(r.Context(), *caller))
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// Every name in the list leads to the model that it stands for, and is as short as that allows.
func TestListedNamesLeadToTheirModels(t *testing.T) {
	t.Parallel()
	p, shelves := library(t)
	want := map[string]string{
		"c-1": "claude c-1", "claude/both": "claude both", "claude/claude/c-2": "claude claude/c-2", "claude/taken": "claude taken",
		"g-4": "open g-4", "open/both": "open both", "open/claude/c-1": "open claude/c-1", "org/m": "open org/m",
	}
	got := make(map[string]string)
	for _, id := range listedIDs(t, get(p, "/v1/models", false, nil)) {
		rec := visit(p, http.MethodPost, "/v1/chat/completions", asks(id))
		got[id] = strings.Join(took(shelves...), ", ")
		if rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", id, rec.Code, rec.Body)
		}
		one := get(p, "/v1/models/"+url.PathEscape(id), false, nil)
		var m struct{ ID string }
		if json.Unmarshal(one.Body.Bytes(), &m) != nil || one.Code != http.StatusOK || m.ID != id {
			t.Errorf("GET of %s: %d %s", id, one.Code, one.Body)
		}
	}
	// "claude/taken" is shown as such, since the plain name is mapped to another's model.
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names and whom they lead to (-want +got):\n%s", diff)
	}
}

// Clients of either API get the list in its shape, and no member of the other's.
func TestShapesOfTheMergedList(t *testing.T) {
	t.Parallel()
	one := &shelf{name: "one", list: func(context.Context) ([]ccproxy.Model, error) {
		return []ccproxy.Model{{
			ID: "m", DisplayName: "Em", OwnedBy: "us", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			ContextWindow: 1000, MaxOutputTokens: 100,
			Extra: map[string]json.RawMessage{"type": []byte(`"x"`), "object": []byte(`"x"`), "more": []byte(`{"a":1}`)},
		}, {ID: "bare"}}, nil
	}}
	p := running(t, ccproxy.Settings{}, factoriesOf(one, &shelf{name: "two"}))
	wants := map[bool]string{
		false: `{"object":"list","data":[
			{"id":"m","object":"model","created":1767225600,"owned_by":"us","display_name":"Em","context_window":1000,
				"max_output_tokens":100,"more":{"a":1}},
			{"id":"bare","object":"model","created":0,"owned_by":"one","display_name":"bare"}]}`,
		true: `{"has_more":false,"first_id":"m","last_id":"bare","data":[
			{"id":"m","type":"model","created_at":"2026-01-01T00:00:00Z","display_name":"Em","max_input_tokens":1000,
				"max_tokens":100,"more":{"a":1}},
			{"id":"bare","type":"model","created_at":"1970-01-01T00:00:00Z","display_name":"bare"}]}`,
	}
	for anthropic, text := range wants {
		var want, got map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		rec := get(p, "/v1/models", anthropic, nil)
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Anthropic %t (-want +got):\n%s", anthropic, diff)
		}
		if rec.Header().Get("Vary") != "Anthropic-Version" {
			t.Errorf("Vary = %q", rec.Header().Get("Vary"))
		}
		var card map[string]any
		if err := json.Unmarshal(get(p, "/v1/models/m", anthropic, nil).Body.Bytes(), &card); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want["data"].([]any)[0], any(card)); diff != "" {
			t.Errorf("one model, Anthropic %t (-want +got):\n%s", anthropic, diff)
		}
	}
}

func TestPagesOfTheMergedList(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, factoriesOf(
		&shelf{name: "one", list: models("a", "b", "both")}, &shelf{name: "two", list: models("both", "c")},
	))
	for query, want := range map[string]string{
		"": "a b one/both two/both c", "limit=2": "a b +", "limit=2&after_id=b": "one/both two/both +",
		"after_id=one/both": "two/both c", "before_id=one%2Fboth&limit=1": "b +", "limit=5": "a b one/both two/both c",
	} {
		rec := get(p, "/v1/models?"+query, true, nil)
		got := strings.Join(listedIDs(t, rec), " ")
		if strings.Contains(rec.Body.String(), `"has_more":true`) {
			got += " +"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
		if plain := listedIDs(t, get(p, "/v1/models?"+query, false, nil)); len(plain) != 5 {
			t.Errorf("%q: OpenAI's list, which has no pages, is cut to %v", query, plain)
		}
	}
	wantError(t, get(p, "/v1/models?limit=0", true, nil), anthropicDialect, http.StatusBadRequest, "invalid_request_error", "limit")
}

// Who may use some models only is shown these, by a name that he may use.
func TestMergedModelsShownToACaller(t *testing.T) {
	t.Parallel()
	p, _ := library(t)
	for allowed, want := range map[string]string{
		"c-1": "c-1", "claude/c-1": "c-1 open/claude/c-1", "both": "claude/both open/both", "open/both": "open/both", "nothing": "",
	} {
		caller := &ccproxy.Caller{ID: "c", Models: []string{allowed}}
		if got := strings.Join(listedIDs(t, get(p, "/v1/models", false, caller)), " "); got != want {
			t.Errorf("%s: %q, want %q", allowed, got, want)
		}
		for _, id := range listedIDs(t, get(p, "/v1/models", false, nil)) {
			listed := strings.Contains(" "+want+" ", " "+id+" ")
			rec := get(p, "/v1/models/"+url.PathEscape(id), false, caller)
			if (rec.Code == http.StatusOK) != listed {
				t.Errorf("%s: GET of %s = %d %s", allowed, id, rec.Code, rec.Body)
			}
		}
	}
}

// A model that is not listed is described by its provider, and one that nobody has is not there.
func TestOneModelOfAny(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true, plugins: factoriesOf(&shelf{name: "other", list: models("m")})})
	r.upstream.Models = []string{"claude-x"}
	for id, want := range map[string]int{"m": 200, "claude-x": 200, "claude%2Fclaude-x": 200, "other%2Fgone": 404, "gone": 404} {
		rec := get(r.proxy, "/v1/models/"+id, true, nil)
		if rec.Code != want {
			t.Errorf("%s: %d %s", id, rec.Code, rec.Body)
		}
		if want == http.StatusNotFound {
			wantError(t, rec, anthropicDialect, want, "not_found_error", "model: ")
		}
	}
}
