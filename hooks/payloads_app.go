package hooks

import "slices"

// AppStartup is the payload of [EventAppStartup].
type AppStartup struct {
	Version string
	Plugins []string // those that were initialized, in order
}

// AppReady is the payload of [EventAppReady].
type AppReady struct {
	Version string
	Plugins []string // those that started, in order
}

// AppShutdown is the payload of [EventAppShutdown].
type AppShutdown struct {
	Version string
	Plugins []string
	Reason  string
}

// PluginLoaded is the payload of [EventPluginLoaded].
type PluginLoaded struct{ Name, Version, Kind string }

// PluginUnloaded is the payload of [EventPluginUnloaded].
type PluginUnloaded struct{ Name, Version, Kind, Reason string }

// PluginError is the payload of [EventPluginError]: the operation of a plugin that failed and why, redacted.
type PluginError struct{ Name, Op, Err string }

// Event returns [EventAppStartup].
func (*AppStartup) Event() Event { return EventAppStartup }

func (p *AppStartup) clone() Payload {
	if p == nil {
		return nil
	}
	return &AppStartup{Version: p.Version, Plugins: slices.Clone(p.Plugins)}
}

// Event returns [EventAppReady].
func (*AppReady) Event() Event { return EventAppReady }

func (p *AppReady) clone() Payload {
	if p == nil {
		return nil
	}
	return &AppReady{Version: p.Version, Plugins: slices.Clone(p.Plugins)}
}

// Event returns [EventAppShutdown].
func (*AppShutdown) Event() Event { return EventAppShutdown }

func (p *AppShutdown) clone() Payload {
	if p == nil {
		return nil
	}
	return &AppShutdown{Version: p.Version, Plugins: slices.Clone(p.Plugins), Reason: p.Reason}
}

// Event returns [EventPluginLoaded].
func (*PluginLoaded) Event() Event     { return EventPluginLoaded }
func (p *PluginLoaded) clone() Payload { return copyOf(p) }

// Event returns [EventPluginUnloaded].
func (*PluginUnloaded) Event() Event     { return EventPluginUnloaded }
func (p *PluginUnloaded) clone() Payload { return copyOf(p) }

// Event returns [EventPluginError].
func (*PluginError) Event() Event     { return EventPluginError }
func (p *PluginError) clone() Payload { return copyOf(p) }
