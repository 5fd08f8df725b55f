// Package hooks tells plugins what happens in the proxy, and lets them change a request just before it is
// sent.
//
// A [Hook] is an observer. It names the [Event]s it wants and is given each as a [Context] with a typed
// [Payload], off the path of the request: nothing it does or fails to do reaches a client. [On] makes one
// from a function, [Observe] one for several events. A [Mutator] is the one exception, made for
// provider.request.prepared: the request waits for it, for a short time, and takes over what it changed in
// its [PreparedRequest]. [Mutate] makes one from a function.
//
// A [Registry] holds the hooks of one proxy:
//
//	var reg hooks.Registry
//	unregister, err := reg.Register(
//		hooks.On("tokens", func(ctx context.Context, hc *hooks.Context, end *hooks.ProviderStreamEnd) error {
//			return store.Add(ctx, hc.Provider, end.Usage)
//		}),
//		hooks.Options{Plugin: "analytics"},
//	)
//
// # What a hook can rely on
//
// One hook gets its events one at a time and in the order they were emitted; hooks run beside each other.
// What a hook is given is its own, unless it says that it only reads: a copy of the context and of the
// payload, headers as read-only snapshots, and credentials in none of them. The context ends after
// [Options].Timeout.
//
// # What a hook cannot do
//
// A hook's queue is bounded, in number and in bytes. When it is full, chunks of streams give way first,
// then the oldest events; what was dropped is counted. A hook that blocks loses its own events, nobody
// else's, which come a millisecond later at most. An error, a panic or a runtime.Goexit ends one call and is
// counted; five in a row fuse the hook for a minute, then a single event decides whether it is well again. A
// mutator that fails or takes too long is passed over, unless it is registered with FailClosed. All of it shows
// in [Registry.Stats].
//
// Beyond the reach of this package are a panic on a goroutine that a hook starts itself, a fatal error of the
// runtime (concurrent map writes, stack overflow, out of memory), and os.Exit.
//
// # Cost
//
// [Registry.Enabled] is an atomic load and a map look-up: whoever emits asks it before building a payload.
// [Registry.Emit] copies the payload once for each observer, of those registered with [Options.ReadOnly] once for all
// together ([Registry.EmitOwned] not even that), and never waits. A call of an observer costs one allocation more; the
// timer and the channel of its context are made when the hook asks for them. Observers share a goroutine, which goes
// from one to the other; where a hook keeps it for about a millisecond, or there is more to do than it gets done,
// another goes on with the rest. All mutators of a request share a goroutine, as long as none of them overruns its
// timeout. Each is given a copy of the request's header; those registered with ReadOnly share one. An idle registry has
// no goroutine.
package hooks
