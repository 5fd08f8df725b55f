package ccproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/sched"
)

// HealthStatus is a status of the health check format that /health answers in.
type HealthStatus string

// The statuses of health checks.
const (
	HealthPass HealthStatus = "pass"
	HealthWarn HealthStatus = "warn" // works, but somebody should look
	HealthFail HealthStatus = "fail"
)

// Health is what a plugin says of itself. The zero value means that all is well.
type Health struct {
	// Status defaults to HealthPass.
	Status HealthStatus
	// Output is one line for people. It must not hold secrets.
	Output string
	// Details are shown as JSON. Of a provider, the keys has_detection, has_credentials, cli_version and
	// cli_path have a meaning of their own.
	Details map[string]any
}

const healthTimeout = 2 * time.Second

// health asks a plugin, if it has anything to say, and if the last time it was asked has come to an end.
func (r *record) health(ctx context.Context) Health {
	status := r.status()
	if status.State != stateActive {
		h := Health{Status: HealthWarn, Output: status.State}
		if status.State == stateFailed {
			h.Status = HealthFail
		}
		if status.Reason != nil {
			h.Output = status.Reason.Error()
		}
		return h
	}
	if len(status.Abandoned) > 0 {
		return Health{Status: HealthFail, Output: "a call of the plugin does not return"}
	}
	h := Health{Status: HealthPass}
	if checker, ok := r.runtime.(HealthChecker); ok {
		h = r.ask(ctx, checker)
	}
	return h.withAccounts(r.pc.proxy.accounts.accountStates(ctx, r.name)).withBreakers(r.pc.proxy.breakers(r))
}

// probe is one health check that may have several askers.
type probe struct {
	done   chan struct{}
	health Health
}

// ask calls the plugin's health check, unless it is being called: then whoever asks gets that call's answer. So
// a check that hangs holds one goroutine, however many ask.
func (r *record) ask(ctx context.Context, checker HealthChecker) Health {
	r.mu.Lock()
	pr := r.probe
	if pr == nil {
		pr = &probe{done: make(chan struct{})}
		r.probe = pr
		go r.check(checker, pr)
	}
	r.mu.Unlock()
	select {
	case <-pr.done:
		return pr.health
	case <-ctx.Done():
		return Health{Status: HealthFail, Output: "health check: " + context.Cause(ctx).Error()}
	}
}

// check runs one health check. It is bounded by the plugin's life, not by that of an asker, who may leave before
// the others.
func (r *record) check(checker HealthChecker, pr *probe) {
	result := make(chan Health, 1)
	pending, err := guarded(r.ctx, healthTimeout, func(ctx context.Context) error {
		h := checker.HealthCheck(ctx)
		h.Details = marshalled(h.Details)
		result <- h
		return nil
	})
	if pending != nil {
		r.abandon("health check", pending, func() {})
	}
	if err != nil {
		pr.health = Health{Status: HealthFail, Output: "health check: " + err.Error()}
	} else {
		pr.health = <-result
	}
	if pr.health.Status == "" {
		pr.health.Status = HealthPass
	}
	r.mu.Lock()
	r.probe = nil
	r.mu.Unlock()
	close(pr.done)
}

// marshalled makes JSON of a plugin's details while they are still the plugin's problem: what cannot be
// marshalled is named, and what the plugin changes later on is not seen.
func marshalled(details map[string]any) map[string]any {
	out := make(map[string]any, len(details))
	for key, v := range details {
		b, err := json.Marshal(v)
		if err != nil {
			out[key] = fmt.Sprintf("a value of type %T", v)
			continue
		}
		out[key] = json.RawMessage(b)
	}
	return out
}

// Statuses returns how every registered plugin is doing, by name.
func (p *Proxy) Statuses() []PluginStatus {
	out := make([]PluginStatus, 0, len(p.plan.manifests))
	for _, m := range p.plan.manifests {
		out = append(out, p.statusOf(m))
	}
	return out
}

func (p *Proxy) statusOf(m Manifest) PluginStatus {
	if r := p.byName[m.Name]; r != nil {
		return r.status()
	}
	state := stateSkipped
	reason := p.absent(m.Name)
	if isDisabled(reason) {
		state = stateDisabled
	}
	return PluginStatus{Name: m.Name, Version: m.version(), Kind: m.Kind, State: state, Reason: reason}
}

// details are the flat details of a plugin's health.
func (p *Proxy) details(ctx context.Context, m Manifest, r *record, h Health) map[string]any {
	status := p.statusOf(m)
	active := status.State == stateActive
	d := make(map[string]any)
	if m.Kind == KindProvider {
		maps.Copy(d, map[string]any{
			"has_adapter": r != nil && active && len(r.providers) > 0, "has_detection": false, "has_credentials": false,
			"cli_version": nil, "cli_path": nil,
		})
	}
	maps.Copy(d, h.Details) // what follows is not the plugin's to say
	d["type"], d["initialized"], d["state"] = m.Kind.String(), active, status.State
	if m.Kind == KindAuth {
		d["oauth_provider_registered"] = active
		d["oauth_provider_names"] = namesOf(m.OAuthProviders, func(s OAuthProviderSpec) string { return s.Name })
	}
	if status.Reason != nil {
		d["error"] = status.Reason.Error()
	}
	if len(status.Abandoned) > 0 {
		d["abandoned"] = status.Abandoned
	}
	if h.Output != "" {
		d["output"] = h.Output
	}
	if r != nil {
		if states := p.accounts.accountStates(ctx, r.name); len(states) > 0 {
			d["accounts"] = states
		}
		if breakers := p.breakers(r); len(breakers) > 0 {
			d["breakers"] = breakers
		}
		r.mu.Lock()
		if len(r.panics) > 0 {
			d["failed_goroutines"] = cloneSlice(r.panics)
		}
		r.mu.Unlock()
		addStats(d, p.hooks.Stats(), p.tasks.Status(), r.name)
	}
	return d
}

type hookHealth struct {
	Name      string `json:"name"`
	Delivered int64  `json:"delivered"`
	Dropped   int64  `json:"dropped"`
	Failed    int64  `json:"failed"`
	Pending   int    `json:"pending"`
	Stalled   bool   `json:"stalled"`
	Fused     bool   `json:"fused"`
	Abandoned int    `json:"abandoned"`
	LastError string `json:"last_error,omitempty"`
}

type taskHealth struct {
	Name                string  `json:"name"`
	Running             bool    `json:"running"`
	IntervalSeconds     float64 `json:"interval_seconds"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
	LastError           string  `json:"last_error,omitempty"`
}

func addStats(d map[string]any, stats []hooks.Stats, tasks []sched.Status, plugin string) {
	var hs []hookHealth
	for _, s := range stats {
		if s.Plugin == plugin {
			hs = append(hs, hookHealth{
				Name: s.Name, Delivered: s.Delivered, Dropped: s.Dropped, Failed: s.Failed,
				Pending: s.Pending, Stalled: s.Stalled, Fused: s.Fused, Abandoned: s.Abandoned, LastError: s.LastError,
			})
		}
	}
	if hs != nil {
		d["hooks"] = hs
	}
	var ts []taskHealth
	for _, t := range tasks {
		if t.Owner == plugin {
			ts = append(ts, taskHealth{
				Name: t.Name, Running: t.Running, IntervalSeconds: t.Interval.Seconds(),
				ConsecutiveFailures: t.ConsecutiveFailures, LastError: errorText(t.LastError),
			})
		}
	}
	if ts != nil {
		d["tasks"] = ts
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// healthWord maps a health status to the words of the plugins' endpoints.
func healthWord(s HealthStatus) string {
	switch s {
	case HealthPass:
		return "healthy"
	case HealthFail:
		return "unhealthy"
	default:
		return "unknown"
	}
}

func setHealthHeaders(h http.Header) {
	h.Set("Content-Type", "application/health+json")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
}
