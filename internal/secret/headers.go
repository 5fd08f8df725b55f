package secret

import "context"

type headersKey struct{}

// WithHeaders returns a context that says which headers of its request hold credentials, whatever their names.
func WithHeaders(ctx context.Context, names []string) context.Context {
	return context.WithValue(ctx, headersKey{}, names)
}

// Headers returns the names that [WithHeaders] was given.
func Headers(ctx context.Context) []string {
	names, _ := ctx.Value(headersKey{}).([]string)
	return names
}

type bodyKey struct{}

// WithBody returns a context that says that the body of its request is secret, as those to a token endpoint are.
func WithBody(ctx context.Context) context.Context { return context.WithValue(ctx, bodyKey{}, true) }

// Body tells whether the context is one of [WithBody].
func Body(ctx context.Context) bool {
	hidden, _ := ctx.Value(bodyKey{}).(bool)
	return hidden
}
