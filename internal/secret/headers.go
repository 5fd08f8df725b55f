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
