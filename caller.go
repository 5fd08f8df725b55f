package ccproxy

import (
	"context"
	"slices"

	"github.com/ccproxy-go/ccproxy/limit"
)

// Caller is who sends a request, for hosts that authenticate by themselves.
type Caller struct {
	// ID identifies the caller in hooks, logs and limits. It is not a secret.
	ID string
	// Models are the models that the caller may use, by the names that clients send: as MODEL with any provider, as
	// PROVIDER/MODEL with this one. Nil means all.
	Models []string
	// Limits are what the caller may take. A field that is zero is that of the API key whose name is the ID, if there
	// is one, else that of Security.Limits; less than zero means any amount.
	Limits limit.Policy
}

type callerKey struct{}

// ContextWithCaller returns a context that says who calls. A host sets it on the request before the proxy sees it.
func ContextWithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of a request's context; ok is false when nobody said who calls.
func CallerFrom(ctx context.Context) (c Caller, ok bool) {
	c, ok = ctx.Value(callerKey{}).(Caller)
	return c, ok
}

func (c Caller) mayUse(model string) bool {
	return c.Models == nil || slices.Contains(c.Models, model)
}

// mayCall tells whether the caller may use the model of a provider, which the client has called sent.
func (c Caller) mayCall(provider, model, sent string) bool {
	return c.mayUse(sent) || c.mayUse(model) || c.mayUse(provider+"/"+model)
}
