package ccproxy

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// coreEndpoints are the proxy's own.
func (p *Proxy) coreEndpoints() []mountedEndpoint {
	var out []mountedEndpoint
	add := func(method, path, summary string, auth AuthPolicy, h http.HandlerFunc) {
		out = append(out, mountedEndpoint{
			Endpoint: Endpoint{Method: method, Summary: summary, Auth: auth}, prefix: corePrefix(path), path: path,
			auth: auth, tags: []string{"core"}, handler: h, always: true,
		})
	}
	add("GET", "/", "Tell that the proxy is there", AuthPublic, p.serveRoot)
	add("GET", "/health", "Health of the proxy and its plugins", AuthPublic, p.serveHealth)
	add("GET", "/health/live", "Liveness", AuthPublic, p.serveLive)
	add("GET", "/health/ready", "Readiness", AuthPublic, p.serveReady)
	add("GET", "/openapi.json", "Describe all of this", AuthDefault, p.serveOpenAPI)
	if !p.settings.DisablePlugins {
		add("GET", "/plugins", "List the plugins", AuthDefault, p.servePlugins)
		add("GET", "/plugins/status", "Status of the plugins", AuthDefault, p.servePluginsStatus)
		add("GET", "/plugins/{name}/health", "Health of a plugin", AuthDefault, p.servePluginHealth)
		add("DELETE", "/plugins/{name}", "Not supported", AuthDefault, p.serveUnregister)
	}
	return out
}

// corePrefix is what the proxy claims of a path: its first segment.
func corePrefix(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + first
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	// What is encoded are maps and structs of ours; a client that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(v) //nolint:errchkjson // see above
}

func (p *Proxy) serveRoot(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"service": "ccproxy", "version": Version})
}

type healthAnswer struct {
	Status      HealthStatus             `json:"status"`
	Version     string                   `json:"version"`
	ServiceID   string                   `json:"serviceId,omitempty"`
	Description string                   `json:"description,omitempty"`
	Time        string                   `json:"time,omitempty"`
	Output      string                   `json:"output,omitempty"`
	Checks      map[string][]healthCheck `json:"checks,omitempty"`
}

type healthCheck struct {
	ComponentID   string       `json:"componentId"`
	ComponentType string       `json:"componentType"`
	Status        HealthStatus `json:"status"`
	Time          string       `json:"time"`
	Output        string       `json:"output,omitempty"`
	Version       string       `json:"version"`
}

func (p *Proxy) serveLive(w http.ResponseWriter, _ *http.Request) {
	setHealthHeaders(w.Header())
	writeJSON(w, http.StatusOK, healthAnswer{
		Status: HealthPass, Version: Version, Output: "Application process is running",
	})
}

func (p *Proxy) serveReady(w http.ResponseWriter, _ *http.Request) {
	setHealthHeaders(w.Header())
	if p.state.Load() != proxyRunning {
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, healthAnswer{
			Status: HealthFail, Version: Version, Output: "Service is shutting down",
		})
		return
	}
	writeJSON(w, http.StatusOK, healthAnswer{
		Status: HealthPass, Version: Version, Output: "Service is ready to accept traffic",
	})
}

// serveHealth shows the state of all parts. It is public, so reasons stay with /plugins.
func (p *Proxy) serveHealth(w http.ResponseWriter, r *http.Request) {
	now := time.Now().UTC().Format(time.RFC3339)
	out := healthAnswer{
		Status: HealthPass, Version: Version, ServiceID: "ccproxy", Description: "CCProxy API Server", Time: now,
		Checks: map[string][]healthCheck{"service_container": {{
			ComponentID: "service-container", ComponentType: "service", Status: HealthPass, Time: now, Version: Version,
		}}},
	}
	for _, rec := range p.records {
		h := rec.health(r.Context())
		if rec.optedOut() {
			h.Status = HealthPass // its own decision
		}
		if h.Status != HealthPass {
			out.Status = HealthWarn // the others serve
		}
		out.Checks["plugin:"+rec.name] = []healthCheck{{
			ComponentID: rec.name, ComponentType: rec.manifest.Kind.String() + "_plugin", Status: h.Status,
			Time: now, Output: rec.status().State, Version: rec.manifest.version(),
		}}
	}
	setHealthHeaders(w.Header())
	writeJSON(w, http.StatusOK, out)
}

type pluginListed struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Version string `json:"version"`
	Reason  string `json:"reason,omitempty"`
	// Accounts are the plugin's OAuth accounts that somebody should look at.
	Accounts []accountListed `json:"accounts,omitempty"`
	// Breakers are those of the plugin's providers that are not closed.
	Breakers []breakerHealth `json:"breakers,omitempty"`
}

type accountListed struct {
	ID    string      `json:"id"`
	State oauth.State `json:"state"`
}

func (p *Proxy) servePlugins(w http.ResponseWriter, r *http.Request) {
	list := []pluginListed{}
	for _, s := range p.Statuses() {
		l := pluginListed{Name: s.Name, Type: "plugin", Status: s.State, Version: s.Version}
		if s.Reason != nil {
			l.Reason = s.Reason.Error()
		}
		for _, account := range p.accounts.accountStates(r.Context(), s.Name) {
			if AccountHealth(account.State) != HealthPass {
				l.Accounts = append(l.Accounts, accountListed{account.ID, account.State})
			}
		}
		l.Breakers = p.tripped(s.Name)
		list = append(list, l)
	}
	writeJSON(w, http.StatusOK, map[string]any{"plugins": list, "total": len(list)})
}

type pluginState struct {
	Name             string   `json:"name"`
	Version          string   `json:"version"`
	Type             string   `json:"type"`
	Provides         []string `json:"provides"`
	Requires         []string `json:"requires"`
	OptionalRequires []string `json:"optional_requires"`
	Initialized      bool     `json:"initialized"`
	Status           string   `json:"status"`
	Reason           string   `json:"reason,omitempty"`
}

func (p *Proxy) servePluginsStatus(w http.ResponseWriter, _ *http.Request) {
	list := []pluginState{}
	for _, m := range p.plan.manifests {
		s := p.statusOf(m)
		l := pluginState{
			Name: m.Name, Version: s.Version, Type: m.Kind.String(), Provides: notNil(m.Provides),
			Requires: notNil(m.Requires), OptionalRequires: notNil(m.OptionalRequires),
			Initialized: s.State == stateActive, Status: s.State,
		}
		if s.Reason != nil {
			l.Reason = s.Reason.Error()
		}
		list = append(list, l)
	}
	services := make(map[string]string)
	p.servicesMu.RLock()
	for name, s := range p.services {
		services[name] = s.owner
	}
	p.servicesMu.RUnlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"initialization_order": notNil(p.plan.resolution.Order), "services": services, "plugins": list,
	})
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (p *Proxy) servePluginHealth(w http.ResponseWriter, r *http.Request) {
	m, ok := p.manifest(r.PathValue("name"))
	if !ok {
		noPlugin(w, r)
		return
	}
	rec := p.byName[m.Name]
	h := Health{Status: HealthWarn}
	loaded := false
	if rec != nil {
		h = rec.health(r.Context())
		loaded = rec.is(stateActive) && len(rec.providers) > 0
	}
	w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	writeJSON(w, http.StatusOK, map[string]any{
		"plugin": m.Name, "status": healthWord(h.Status), "adapter_loaded": loaded,
		"details": p.details(r.Context(), m, rec, h),
	})
}

func (p *Proxy) serveUnregister(w http.ResponseWriter, r *http.Request) {
	if _, ok := p.manifest(r.PathValue("name")); !ok {
		noPlugin(w, r)
		return
	}
	exchangeFrom(r.Context()).fail(w, &Error{
		Status: http.StatusNotImplemented, Type: "not_implemented",
		Message: "plugins cannot be unregistered while the proxy runs; disable them in the settings and reload",
	})
}

func noPlugin(w http.ResponseWriter, r *http.Request) {
	exchangeFrom(r.Context()).fail(w, &Error{
		Status: http.StatusNotFound, Param: "name",
		Message: "Plugin '" + printable(r.PathValue("name")) + "' not found",
	})
}

// printable keeps what a client sent from doing more than being read.
func printable(s string) string {
	const limit = 64
	out := make([]rune, 0, limit)
	for _, c := range s {
		if len(out) == limit {
			break
		}
		if c < ' ' || c == 0x7f || c > '~' {
			c = '?'
		}
		out = append(out, c)
	}
	return string(out)
}

func (p *Proxy) manifest(name string) (Manifest, bool) {
	for _, m := range p.plan.manifests {
		if m.Name == name {
			return m, true
		}
	}
	return Manifest{}, false
}

func isDisabled(err error) bool { return errors.Is(err, ErrDisabled) }
