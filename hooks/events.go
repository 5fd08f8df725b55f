package hooks

import "slices"

// Event names a moment in the life of the proxy, a plugin or a request. The values are stable: they appear in
// configuration and in stored traces.
type Event string

// The life of the application.
const (
	EventAppStartup  Event = "app.startup"  // the plugins have started, nothing is served yet
	EventAppReady    Event = "app.ready"    // requests are served
	EventAppShutdown Event = "app.shutdown" // before the first plugin stops
)

// The life of a client's request: one started, then exactly one completed or failed.
const (
	EventRequestStarted   Event = "request.started"
	EventRequestCompleted Event = "request.completed"
	EventRequestFailed    Event = "request.failed"
)

// The call a provider makes upstream on behalf of a client's request.
const (
	EventProviderRequestPrepared  Event = "provider.request.prepared"
	EventProviderRequestSent      Event = "provider.request.sent"
	EventProviderResponseReceived Event = "provider.response.received"
	EventProviderError            Event = "provider.error"
	EventProviderStreamStart      Event = "provider.stream.start"
	EventProviderStreamChunk      Event = "provider.stream.chunk"
	EventProviderStreamEnd        Event = "provider.stream.end"
)

// The life of a plugin.
const (
	EventPluginLoaded   Event = "plugin.loaded"
	EventPluginUnloaded Event = "plugin.unloaded"
	EventPluginError    Event = "plugin.error"
)

// Raw HTTP exchanges, towards clients and towards upstreams.
const (
	EventHTTPRequest  Event = "http.request"
	EventHTTPResponse Event = "http.response"
	EventHTTPError    Event = "http.error"
)

// Exchanges with an authorization server.
const (
	EventOAuthTokenRequest    Event = "oauth.token.request"
	EventOAuthTokenResponse   Event = "oauth.token.response"
	EventOAuthRefreshRequest  Event = "oauth.refresh.request"
	EventOAuthRefreshResponse Event = "oauth.refresh.response"
	EventOAuthError           Event = "oauth.error"
)

// EventCustom is for plugins that tell each other something of their own; see [Custom].
const EventCustom Event = "custom.event"

// Events returns every event there is, in the order of their declaration. The slice is the caller's.
func Events() []Event {
	return []Event{
		EventAppStartup, EventAppReady, EventAppShutdown,
		EventRequestStarted, EventRequestCompleted, EventRequestFailed,
		EventProviderRequestPrepared, EventProviderRequestSent, EventProviderResponseReceived, EventProviderError,
		EventProviderStreamStart, EventProviderStreamChunk, EventProviderStreamEnd,
		EventPluginLoaded, EventPluginUnloaded, EventPluginError,
		EventHTTPRequest, EventHTTPResponse, EventHTTPError,
		EventOAuthTokenRequest, EventOAuthTokenResponse, EventOAuthRefreshRequest, EventOAuthRefreshResponse,
		EventOAuthError,
		EventCustom,
	}
}

// known reports whether e is one of [Events].
func (e Event) known() bool { return slices.Contains(Events(), e) }
