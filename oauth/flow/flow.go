// Package flow logs a user in at an [oauth.Provider]: with a browser on this machine, by a code that the user
// copies, or by a code that the user types in on another device.
//
// It is for programs that talk to one user, such as a command. The program brings a [UI]; the flow brings
// state, PKCE, the listener for the browser, polling and all checks.
//
//	login := flow.Login{UI: terminal}
//	creds, err := login.Run(ctx, provider)
//	if err != nil {
//		return err
//	}
//	err = manager.Login(ctx, provider.Info().Name, creds)
//
// Only the browser flow opens a port, on the loopback interface, for as long as the login takes.
package flow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// The reasons why a login by browser did not work. Run goes on with the manual flow then, unless told not to.
var (
	// ErrListen means that the port for the browser could not be opened: another program has it, most often.
	ErrListen = errors.New("cannot listen for the browser")
	// ErrTimeout means that the browser did not come back.
	ErrTimeout = errors.New("the browser did not come back in time")
)

// ErrPaste means that what the user pasted is not a code of this login.
var ErrPaste = errors.New("not the code of this login")

// DefaultTimeout is how long the browser flow waits for the browser.
const DefaultTimeout = 5 * time.Minute

// Method is a way to log in.
type Method int

// The ways to log in.
const (
	// Auto is what the provider prefers.
	Auto Method = iota
	// Browser waits for a browser on this machine to come back.
	Browser
	// Manual has the user copy a code, or an address, from a browser anywhere.
	Manual
	// Device has the user type in a code in a browser anywhere.
	Device
)

// String gives "auto", "browser", "manual" or "device".
func (m Method) String() string {
	switch m {
	case Browser:
		return "browser"
	case Manual:
		return "manual"
	case Device:
		return "device"
	default:
		return "auto"
	}
}

// Visit is where the user has to go.
type Visit struct {
	// Method tells what comes after: with Browser nothing is left to be done here, with Manual there is a code
	// to paste, with Device a code to type in there.
	Method Method
	// URL is an http or https address to open.
	URL string
	// UserCode is to be typed in at URL, with Device.
	UserCode string
	// Complete is URL with the code in it, good for a QR code; may be empty.
	Complete string
	// Fallback is why the flow before did not work; nil if there was none.
	Fallback error
	// Expires is when it is too late; zero if nobody knows.
	Expires time.Time
}

// UI is what a program lets its user see and do.
type UI interface {
	// Show shows the address, or opens it in a browser, and returns without waiting for the user. An error
	// ends the login.
	Show(ctx context.Context, v Visit) error
	// Paste asks for the code: alone, as CODE#STATE, or the whole address that the browser ended up at. It
	// waits for the user until ctx ends. problem is what was wrong with the last one, nil at first.
	Paste(ctx context.Context, problem error) (string, error)
}

// Login is how to log in. Its fields must not be changed while Run runs; Run may be called any number of
// times, concurrently too.
type Login struct {
	// UI talks to the user. Required.
	UI UI
	// Method is the way. The zero value is what the provider prefers.
	Method Method
	// NoFallback ends a login by browser that does not work with ErrListen or ErrTimeout, instead of going on
	// with the manual flow.
	NoFallback bool
	// Timeout bounds the wait for the browser. Zero means DefaultTimeout.
	Timeout time.Duration
	// Scopes asked for. Empty means those of the provider.
	Scopes []string
	// Listen opens the port for the browser. Nil means that of the net package.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
}

// Run logs a user in and gives the credentials, which it does not save. Errors wrap [oauth.ErrDenied] if the
// user or the server refused, [oauth.ErrLoginExpired] if it took too long, errors.ErrUnsupported if the
// provider cannot log in this way, and otherwise say what the provider or the UI failed with.
func (l *Login) Run(ctx context.Context, p oauth.Provider) (*oauth.Credentials, error) {
	if l.UI == nil {
		return nil, fmt.Errorf("%w: login without a user interface", oauth.ErrInvalid)
	}
	a := &attempt{Login: l, provider: p, name: p.Info().Name}
	if d, ok := p.(oauth.LoginDescriber); ok {
		a.methods = d.LoginMethods()
	}
	switch a.method() {
	case Device:
		return a.device(ctx)
	case Browser:
		c, err := a.browser(ctx)
		if l.NoFallback || !errors.Is(err, ErrListen) && !errors.Is(err, ErrTimeout) {
			return c, err
		}
		return a.manual(ctx, err)
	default:
		return a.manual(ctx, nil)
	}
}

// attempt is one run of a Login.
type attempt struct {
	*Login
	provider oauth.Provider
	name     string
	methods  oauth.LoginMethods
	sessions oauth.Sessions
}

func (a *attempt) method() Method {
	switch {
	case a.Method != Auto:
		return a.Method
	case a.methods.Device && a.methods.PreferDevice:
		return Device
	case a.methods.LoopbackURI != "":
		return Browser
	case a.methods.Device && a.methods.ManualURI == "":
		return Device
	}
	return Manual
}

// begin makes a session and the address where the user logs in.
func (a *attempt) begin(ctx context.Context, redirectURI string) (s oauth.Session, address string, err error) {
	s, err = a.sessions.Begin(ctx, a.name, redirectURI)
	if err != nil {
		return s, "", err
	}
	req := oauth.AuthorizationRequest{State: s.State.Reveal(), RedirectURI: redirectURI, Scopes: a.Scopes}
	if a.provider.Info().SupportsPKCE {
		req.Verifier = s.Verifier.Reveal()
	}
	address, err = a.provider.AuthorizationURL(ctx, req)
	return s, address, err
}

// finish exchanges the code of a session, which is used up by it.
func (a *attempt) finish(ctx context.Context, redirectURI string, r redirected) (*oauth.Credentials, error) {
	s, err := a.sessions.Finish(ctx, a.name, redirectURI, r.state)
	if err != nil {
		return nil, err
	}
	if r.problem != nil {
		return nil, fmt.Errorf("%s: %w", a.name, r.problem)
	}
	cb := oauth.Callback{Code: r.code, State: r.state, RedirectURI: redirectURI, Issuer: r.issuer}
	if a.provider.Info().SupportsPKCE {
		cb.Verifier = s.Verifier.Reveal()
	}
	return a.provider.HandleCallback(ctx, cb)
}
