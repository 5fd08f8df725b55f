package providers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
)

// Credentials authorize requests to an upstream. Authorize is called once for each attempt, when everything else
// about the request is settled, and concurrently. It may wait for a refresh as long as ctx lasts. A
// *ccproxy.Error says what the client gets when there is no credential.
type Credentials interface {
	Authorize(ctx context.Context, h http.Header) error
}

// CredentialsFunc is a function as [Credentials].
type CredentialsFunc func(ctx context.Context, h http.Header) error

// Authorize calls f.
func (f CredentialsFunc) Authorize(ctx context.Context, h http.Header) error { return f(ctx, h) }

// HeaderKey sends a key in a header of its own, such as "X-Api-Key".
func HeaderKey(name string, key ccproxy.Secret) Credentials {
	name = http.CanonicalHeaderKey(name)
	value := []string{key.Reveal()}
	return CredentialsFunc(func(_ context.Context, h http.Header) error {
		h[name] = value
		return nil
	})
}

// BearerKey sends a key as "Authorization: Bearer KEY".
func BearerKey(key ccproxy.Secret) Credentials {
	return HeaderKey("Authorization", ccproxy.NewSecret("Bearer "+key.Reveal()))
}

// minSecret is the shortest value that is searched for in errors: shorter ones would match by chance.
const minSecret = 8

// addedSecrets returns what Credentials changed of a header: the names, and the values without the scheme that they
// begin with.
func addedSecrets(before, after http.Header) (names, secrets []string) {
	return appendSecrets(nil, nil, before, after)
}

// appendSecrets is addedSecrets, after those that are known already.
func appendSecrets(names, secrets []string, before, after http.Header) ([]string, []string) {
	for name, values := range after {
		if slices.Equal(before[name], values) {
			continue
		}
		names = append(names, name)
		for _, v := range values {
			if scheme, token, ok := strings.Cut(v, " "); ok && len(scheme) <= len("Bearer") {
				v = token
			}
			if len(v) >= minSecret {
				secrets = append(secrets, v)
			}
		}
	}
	return names, secrets
}
