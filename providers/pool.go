package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Pool is implemented by [Credentials] that are several accounts. The provider asks for one for each attempt, tells how
// it went, and may go on with another within the same request, as long as the client has been sent nothing. Its
// methods are called concurrently.
type Pool interface {
	Credentials

	// Next chooses the account of an attempt. An error tells that there is none: the client gets the upstream's answer
	// to the attempt before if there was one, else the error; a *ccproxy.Error says what it looks like. It is not asked
	// for another account when the client has left, and returns the error of ctx if that happens meanwhile.
	Next(ctx context.Context, c Choice) (Turn, error)
}

// Choice is what a [Pool] chooses by.
type Choice struct {
	// Tried are the accounts that this request was refused with.
	Tried []string
	// Session is the conversation of the request, as far as the client tells, and Model what it asks for. Both may be
	// empty.
	Session, Model string
}

// Turn is an account for one attempt. Its methods are called one after the other.
type Turn interface {
	// Account is the account's name. It is not secret.
	Account() string
	// Credentials are those of the account. They may be a [Refresher]: then a 401 leads to one more attempt with the
	// same account before anything is reported.
	Credentials() Credentials
	// Report tells how the upstream answered, once. It returns true where another account may do better, which is
	// asked for next. How a stream went is told by its first event, and the status of an error in there is the one that
	// it stands for; another account is asked for then unless the client has been sent something meanwhile.
	Report(ctx context.Context, o Outcome) (next bool)
	// End tells that the answer has been read, or that there is none. It is called once, after Report.
	End()
}

// Outcome is how an attempt went.
type Outcome struct {
	// Status and Header are those of the upstream's answer. Status is zero where there is none. The header must not be
	// changed.
	Status int
	Header http.Header
	// Err is why there is no answer; an error of the request's context if the client has left.
	Err error
	// NoCredentials tells that Err is that of the account's own credentials, such as of one that nobody has logged in
	// to: the upstream was not asked.
	NoCredentials bool
}

// Account is one of several credentials of a provider.
type Account struct {
	// Name tells the account from the provider's others, in logs, hooks and routes. It is not secret.
	Name string
	// Credentials are those of the account.
	Credentials Credentials
}

// Balancer makes pools of accounts. It is what the service [BalancerService] has to be.
type Balancer interface {
	// Pool returns the credentials of a provider that has these accounts, in the order in which they are preferred. A
	// second call for the same provider takes the place of the first.
	Pool(provider string, accounts []Account) (Pool, error)
}

// BalancerService is the service that makes pools. The plugin balancer provides it. Plugins with accounts have it among
// their OptionalRequires, so that they start after it; see [BalancerServices].
const BalancerService = "balancer"

// BalancerAlias is the service of the plugin balancer where it runs by its other name, credential_balancer.
const BalancerAlias = "credential_balancer"

// BalancerServices are the services that make pools, for the OptionalRequires of plugins with accounts.
func BalancerServices() []string { return []string{BalancerAlias, BalancerService} }

// Balanced returns the credentials of a provider with several accounts, from [BalancerAlias] if that is there, since it
// only is where somebody has asked for it, else from [BalancerService]. Without both it wraps
// ccproxy.ErrMissingDependency.
func Balanced(pc *ccproxy.PluginContext, provider string, accounts []Account) (Credentials, error) {
	b, err := ccproxy.ServiceOf[Balancer](pc, BalancerAlias)
	if errors.Is(err, ccproxy.ErrUnknownService) {
		b, err = ccproxy.ServiceOf[Balancer](pc, BalancerService)
	}
	if err != nil {
		return nil, fmt.Errorf("accounts need the plugin %s: %w: %w",
			BalancerService, ccproxy.ErrMissingDependency, err)
	}
	return b.Pool(provider, accounts)
}

// authorizeError is an error of credentials, which look like any other to those who ask the provider.
type authorizeError struct{ error }

// Unwrap returns the credentials' own error.
func (e *authorizeError) Unwrap() error { return e.error }

// Is tells that the upstream has not been asked.
func (*authorizeError) Is(target error) bool {
	return target == ccproxy.ErrNotAsked
}

// outgoing is a request to the upstream but for its credentials.
type outgoing struct {
	call   *ccproxy.Call // nil for what no client has asked for
	method string
	url    *url.URL
	header http.Header
	body   []byte

	sending func() // is called before anything is sent; may be nil
}

// retrying tells hooks that an account was refused, with a status unless it has no credentials, and another is tried.
func (o outgoing) retrying(account string, status int, latency time.Duration) {
	if o.call == nil {
		return
	}
	if status == 0 {
		o.call.Retrying(0, "account "+account+" has no credentials", latency)
		return
	}
	o.call.Retrying(status, "account "+account+" was refused", latency)
}

// attemptWith sends a request with the credentials of one account, and once more with others where the upstream refuses
// these and they can be refreshed. It takes over the header.
func (p *Provider) attemptWith(
	ctx context.Context, creds Credentials, account string, out outgoing,
) (resp *http.Response, secrets []string, err error) {
	refresher, _ := creds.(Refresher)
	for plain := out.header; ; {
		if out.header = plain; refresher != nil {
			out.header = maps.Clone(plain)
		}
		req, secrets, err := p.newRequest(ctx, creds, out)
		if err != nil {
			return nil, nil, err
		}
		if out.call != nil {
			out.call.Attempt(account)
		}
		if out.sending != nil {
			out.sending()
		}
		// Client.Do would follow redirects, and repeat the URL with its query in errors.
		resp, err := p.client.Transport.RoundTrip(req)
		if err != nil {
			return nil, nil, transportError(ctx, err)
		}
		if refresher == nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, secrets, nil
		}
		names, _ := addedSecrets(plain, out.header)
		if !p.refreshed(ctx, refresher, only(out.header, names)) {
			return resp, secrets, nil
		}
		_ = resp.Body.Close() // nobody gets this answer
		refresher = nil
	}
}
