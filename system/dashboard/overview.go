package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

const (
	// overviewFor is how long an overview is good for: plugins are asked for their health.
	overviewFor     = 10 * time.Second
	overviewTimeout = 3 * time.Second
)

// overview keeps how plugins and credentials are.
type overview struct {
	plugins ccproxy.PluginDirectory

	mu   sync.Mutex
	at   time.Time
	last state
}

// state is how plugins and credentials are.
type state struct {
	Plugins   []pluginState   `json:"plugins"`
	Breakers  []breakerState  `json:"breakers"`
	Accounts  []accountState  `json:"accounts"`
	Providers json.RawMessage `json:"pools,omitempty"` // what the plugin balancer tells
}

type pluginState struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Version string `json:"version"`
	State   string `json:"state"`
	Health  string `json:"health,omitempty"` // pass, warn or fail; of those that are to run
	Output  string `json:"output,omitempty"`
	Dropped int64  `json:"dropped,omitempty"` // events that its hooks were not given
	Failed  int64  `json:"failed,omitempty"`  // events that its hooks failed at
}

type breakerState struct {
	Provider string `json:"provider"`
	State    string `json:"state"`
}

type accountState struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	State    string `json:"state"`
	Health   string `json:"health"`
	Expiry   int64  `json:"expiry,omitempty"` // of the token, in seconds since 1970
	Failures int    `json:"failures,omitempty"`
	Error    string `json:"error,omitempty"`
}

// state returns how everything is, or was a moment ago.
func (o *overview) state(ctx context.Context) state {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); o.at.IsZero() || now.Sub(o.at) >= overviewFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), overviewTimeout) // others wait, too
		defer cancel()
		o.last, o.at = o.look(ctx), now
	}
	return o.last
}

func (o *overview) look(ctx context.Context) state {
	s := state{Plugins: []pluginState{}, Breakers: []breakerState{}, Accounts: []accountState{}}
	monitor, monitored := o.plugins.(ccproxy.Monitor)
	for _, st := range o.plugins.Statuses() {
		p := pluginState{Name: st.Name, Kind: st.Kind.String(), Version: st.Version, State: st.State}
		if st.Reason != nil {
			p.Output = clip(st.Reason.Error(), maxError)
		}
		if monitored && st.State != "disabled" && st.State != "skipped" {
			h := monitor.Health(ctx, st.Name)
			p.Health = string(h.Status)
			if h.Output != "" {
				p.Output = clip(h.Output, maxError)
			}
			if raw, ok := h.Details["providers"].(json.RawMessage); ok && st.Name == "balancer" {
				s.Providers = raw
			}
		}
		s.Plugins = append(s.Plugins, p)
	}
	if !monitored {
		return s
	}
	for _, h := range monitor.HookStats() {
		for i := range s.Plugins {
			if s.Plugins[i].Name == h.Plugin {
				s.Plugins[i].Dropped += h.Dropped
				s.Plugins[i].Failed += h.Failed
			}
		}
	}
	for provider, st := range monitor.Breakers() {
		s.Breakers = append(s.Breakers, breakerState{provider, st})
	}
	slices.SortFunc(s.Breakers, func(a, b breakerState) int { return strings.Compare(a.Provider, b.Provider) })
	for _, a := range monitor.Accounts(ctx) {
		s.Accounts = append(s.Accounts, shownAccount(&a))
	}
	return s
}

func shownAccount(a *ccproxy.AccountStatus) accountState {
	out := accountState{
		ID: clip(a.ID, maxText), Name: clip(a.DisplayName, maxText), Plugin: a.Plugin, State: string(a.State),
		Health: string(ccproxy.AccountHealth(a.State)), Failures: a.Failures, Error: clip(a.Error, maxError),
	}
	if !a.Expiry.IsZero() {
		out.Expiry = a.Expiry.Unix()
	}
	return out
}
