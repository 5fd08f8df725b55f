// Package middleware orders HTTP middleware and brings the pieces that every server needs.
//
// A [Func] wraps a handler, as in most of the ecosystem. An [Entry] gives it a name and a [Layer]; [Chain]
// puts entries around each other, the lowest layer outermost:
//
//	wrap := middleware.Chain(
//		middleware.Entry{Name: "request_id", Layer: middleware.LayerSecurity, Func: middleware.RequestID()},
//		middleware.Entry{Name: "recover", Layer: middleware.LayerSecurity, Func: middleware.Recover(logger, nil)},
//	)
//	http.ListenAndServe(addr, wrap(handler))
//
// # Layers
//
// A request passes the layers from the lowest number to the highest, and its answer the other way:
//
//	100  LayerSecurity        who may ask at all
//	200  LayerObservability   what is seen of each request: logs, metrics, traces
//	300  LayerTransformation  what changes requests or answers
//	400  LayerRouting         what chooses where a request goes
//	500  LayerApplication     what stands right before the handler
//
// In one layer the core's own come first, then plugins' by the plugin's name and the entry's. A number between
// two layers is a place between them. A plugin that guards requests takes LayerSecurity, and is inside of the
// core's guards there; one that only looks takes LayerObservability, and sees no request that was refused before.
//
// # Built-in middleware
//
// Outermost first, in the order in which they belong around each other:
//
//	RequestID   gives each request an id; all that logs or answers below can name it
//	Recover     answers 500 when a handler panics, or aborts an answer that has begun
//	Limits      refuses addresses (414) and headers (431) that are too large, before anything reads them
//	CORS        lets pages of chosen origins read answers; answers preflights, which carry no key
//	Guard       refuses what web pages send to a local server without being asked to (403)
//	APIKey      asks for a key (401) and says whose it is
//
// Those that refuse requests share [RejectFunc]: it renders the answer, and gets a [*RejectError] that holds
// the status. Nothing that they write or pass on quotes a header's value, since that may be a secret.
//
// What they wrap keeps its http.ResponseWriter: only Recover puts one of its own in place, which unwraps.
package middleware
