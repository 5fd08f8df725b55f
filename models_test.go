package ccproxy_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

type modelPage struct {
	Object string `json:"object"`
	Data   []struct {
		ID          string `json:"id"`
		Type        string `json:"type"`
		Object      string `json:"object"`
		DisplayName string `json:"display_name"`
		OwnedBy     string `json:"owned_by"`
		CreatedAt   string `json:"created_at"`
		Created     int64  `json:"created"`
	} `json:"data"`
	HasMore bool    `json:"has_more"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
}

func (p modelPage) ids() []string {
	ids := []string{}
	for _, m := range p.Data {
		ids = append(ids, m.ID)
	}
	return ids
}

// The list has the members that clients of either API read, and pages as Anthropic's does.
//
//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestModelPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	r.upstream.Models = []string{"e", "d", "c", "b", "a"}
	tests := []struct {
		query string
		want  string
		more  bool
	}{
		{"", "e d c b a", false},
		{"client_version=1.2.3&limit=", "e d c b a", false},
		{"limit=2", "e d", true},
		{"limit=5", "e d c b a", false},
		{"limit=1000", "e d c b a", false},
		{"after_id=d", "c b a", false},
		{"after_id=d&limit=2", "c b", true},
		{"after_id=d&limit=3", "c b a", false},
		{"after_id=a", "", false},
		{"before_id=c", "e d", false},
		{"before_id=b&limit=2", "d c", true},
		{"before_id=c&limit=2", "e d", false},
		{"before_id=e", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			rec := r.do(t, http.MethodGet, "/claude/v1/models?"+tt.query, nil, nil)
			var page modelPage
			if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil || rec.Code != http.StatusOK {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			if diff := cmp.Diff(strings.Fields(tt.want), page.ids(), cmp.Transformer("empty", func(s []string) string {
				return strings.Join(s, " ")
			})); diff != "" || page.HasMore != tt.more || page.Object != "list" {
				t.Errorf("got %s\n%s", rec.Body, diff)
			}
			ids := page.ids()
			if len(ids) == 0 {
				if page.FirstID != nil || page.LastID != nil {
					t.Errorf("an empty page has ids: %s", rec.Body)
				}
				return
			}
			if *page.FirstID != ids[0] || *page.LastID != ids[len(ids)-1] {
				t.Errorf("first_id, last_id = %q, %q", *page.FirstID, *page.LastID)
			}
			m := page.Data[0]
			if m.Type != "model" || m.Object != "model" || m.DisplayName != m.ID || m.OwnedBy == "" ||
				m.CreatedAt != "2026-01-01T00:00:00Z" || m.Created != 1767225600 {
				t.Errorf("model = %+v", m)
			}
		})
	}
}

//nolint:paralleltest,tparallel // the cases share one upstream, one after the other
func TestBadModelPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	for _, limit := range []string{"0", "-1", "1001", "x", "1.5", "1e3", "99999999999999999999", "%20"} {
		t.Run(limit, func(t *testing.T) {
			rec := r.do(t, http.MethodGet, "/claude/v1/models?limit="+limit, nil, nil)
			wantError(t, rec, openAIDialect, http.StatusBadRequest, "invalid_request_error", "limit: ")
			if e, _ := shapeOf(t, rec.Body.Bytes()); e.Error.Param == nil || *e.Error.Param != "limit" {
				t.Errorf("body %s", rec.Body)
			}
		})
	}
}

func TestOneModel(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigSetup{quiet: true})
	r.upstream.Models = []string{"plain", "org/name:free", "dots.and 100%"}
	for target, want := range map[string]string{
		"plain": "plain", "org%2Fname:free": "org/name:free", "org%2fname%3Afree": "org/name:free",
		"dots.and%20100%25": "dots.and 100%",
	} {
		if target != "plain" { // a list knows it
			r.do(t, http.MethodGet, "/claude/v1/models", nil, nil)
		}
		rec := r.do(t, http.MethodGet, "/claude/v1/models/"+target, nil, nil)
		var m struct{ ID, Object, Type string }
		if json.Unmarshal(rec.Body.Bytes(), &m) != nil || m.ID != want || m.Object != "model" || m.Type != "model" {
			t.Errorf("%s: got %d %s", target, rec.Code, rec.Body)
		}
	}
	for _, target := range []string{"gone", "..", "%2e%2e", ".", "%00", "a%2F..%2Fplain", "%5c"} {
		rec := r.do(t, http.MethodGet, "/claude/v1/models/"+target, nil, nil)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%s: got %d %s", target, rec.Code, rec.Body)
		}
		shapeOf(t, rec.Body.Bytes())
	}
}

// An upstream that cannot list its models leaves the static list.
func TestModelsFallback(t *testing.T) {
	t.Parallel()
	broken := map[string]providertest.Reply{
		"error":     providertest.Error(http.StatusInternalServerError, "api_error", "no", nil),
		"drop":      providertest.Drop(),
		"not JSON":  providertest.Raw(http.StatusOK, nil, "<html>"),
		"no list":   providertest.Raw(http.StatusOK, nil, `{"type":"message"}`),
		"null list": providertest.Raw(http.StatusOK, nil, `{"data":null}`),
		"cut":       providertest.CutAfter(20, providertest.Raw(http.StatusOK, nil, `{"data":[{"id":"claude-x"}]}`)),
		"redirect":  providertest.Raw(http.StatusFound, http.Header{"Location": {"http://evil.example/"}}, ""),
	}
	for name, reply := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigSetup{quiet: true})
			r.upstream.Handler = func(providertest.Request) providertest.Reply { return reply }
			for range 2 {
				rec := r.do(t, http.MethodGet, "/claude/v1/models", nil, nil)
				var page modelPage
				if json.Unmarshal(rec.Body.Bytes(), &page) != nil || len(page.Data) < 3 || rec.Code != http.StatusOK {
					t.Errorf("got %d %s", rec.Code, rec.Body)
				}
			}
			if n := len(r.upstream.Requests()); n != 1 {
				t.Errorf("the upstream was asked %d times in a row", n)
			}
		})
	}
}
