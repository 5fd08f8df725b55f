package balancer

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// maxBody is what is read of a request's body, which nobody needs.
const maxBody = 1 << 10

// routes answers below /balancer.
type routes struct{ plugin *plugin }

func newRoutes(p *plugin) http.Handler { return routes{p} }

// ServeHTTP implements http.Handler. The proxy sends nothing that is not an endpoint.
func (h routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if c, known := ccproxy.CallerFrom(r.Context()); known && !h.allowed(c.ID, r.Method) {
		refuse(w, http.StatusForbidden, "you are none of those whom plugins."+h.plugin.name+".admins names")
		return
	}
	if r.Method != http.MethodPost {
		h.list(w)
		return
	}
	if n, _ := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); n >= maxBody {
		refuse(w, http.StatusRequestEntityTooLarge, "this request takes no body")
		return
	}
	pool, ok := h.plugin.find(r.PathValue("provider"))
	if !ok {
		refuse(w, http.StatusNotFound, "no provider of this name has several accounts")
		return
	}
	m, ok := pool.member(r.PathValue("account"))
	if !ok {
		refuse(w, http.StatusNotFound, "the provider has no account of this name")
		return
	}
	if err := pool.flip(r.Context(), m, strings.HasSuffix(r.URL.Path, "/enable")); err != nil {
		refuse(w, http.StatusServiceUnavailable, "it is done here, but the other proxies could not be told yet")
		return
	}
	answer(w, http.StatusOK, pool.show(m, time.Now()))
}

// allowed tells whether a caller may do what it asks for: an account that is off is off for everybody.
func (h routes) allowed(caller, method string) bool {
	admins := h.plugin.cfg.Admins
	return slices.Contains(admins, caller) || len(admins) == 0 && method != http.MethodPost
}

func (h routes) list(w http.ResponseWriter) {
	answer(w, http.StatusOK, shown{Providers: h.plugin.show(), Shared: h.plugin.state != nil})
}

// show is what is shown of all accounts.
func (p *plugin) show() []shownProvider {
	out := []shownProvider{}
	now := time.Now()
	for _, pool := range p.all() {
		s := shownProvider{Provider: pool.provider, Strategy: pool.rules.Strategy}
		for _, m := range pool.members {
			s.Accounts = append(s.Accounts, pool.show(m, now))
		}
		out = append(out, s)
	}
	return out
}

type shown struct {
	Providers []shownProvider `json:"providers"`
	Shared    bool            `json:"shared"` // with other proxies
}

type shownProvider struct {
	Provider string         `json:"provider"`
	Strategy string         `json:"strategy"`
	Accounts []shownAccount `json:"accounts"`
}

type shownAccount struct {
	Name       string     `json:"name"`
	State      string     `json:"state"`
	Until      *time.Time `json:"until,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Failures   int        `json:"failures"` // in a row
	Running    int        `json:"running"`
	Requests   int64      `json:"requests"`
	Refused    int64      `json:"refused"`
	LastStatus int        `json:"last_status,omitempty"`
	LastUsed   *time.Time `json:"last_used,omitempty"`
}

func (p *pool) show(m *member, now time.Time) shownAccount {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := shownAccount{
		Name: m.name, State: stateAvailable, Failures: max(m.failures, m.troubles), Running: m.running,
		Requests: m.requests, Refused: m.refused, LastStatus: m.status,
	}
	utc := func(t time.Time) *time.Time { t = t.UTC().Round(time.Millisecond); return &t }
	if m.cools(now) {
		a.State, a.Until, a.Reason = stateCooling, utc(m.until), m.reason
	}
	if m.off {
		a.State = stateOff
	}
	if !m.used.IsZero() {
		a.LastUsed = utc(m.used)
	}
	return a
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// What is encoded are structs of ours; a client that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // see above
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(adapters.EncodeError("", adapters.ErrorInfo{Status: status, Message: message}))
}
