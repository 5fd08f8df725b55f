package oauth

import (
	"context"
	"errors"
	"time"
)

// LoginMethods tells how a user can log in at a provider.
type LoginMethods struct {
	// LoopbackURI is the redirect URI of a command that waits for the browser on this machine, such as
	// "http://localhost:54545/callback". Host, port and path must be what the client is registered with;
	// port 0 stands for any free one, where the server follows RFC 8252. Empty: there is no such login.
	LoopbackURI string
	// ManualURI is the redirect URI of a page that shows the user a code to copy. If it is empty, users paste
	// the address that their browser ended up at, which was meant for LoopbackURI.
	ManualURI string
	// OwnRedirects tells that the client is registered with the addresses above only: the server sends users to no
	// page of a proxy, so a login in the proxy's own pages has to be the manual one.
	OwnRedirects bool
	// Device tells that the provider is a DeviceAuthorizer with a server that supports it.
	Device bool
	// PreferDevice makes the device flow the first choice.
	PreferDevice bool
}

// LoginDescriber is an optional upgrade of a [Provider] that tells how users log in. Without it, users paste
// a code that belongs to the provider's own redirect URI.
type LoginDescriber interface {
	// LoginMethods has no side effects and always gives the same.
	LoginMethods() LoginMethods
}

// The answers of an authorization server to a login that is not, or never will be, done.
var (
	// ErrAuthorizationPending means that the user has not finished yet: ask again after the interval.
	ErrAuthorizationPending = errors.New("the user has not finished the login yet")
	// ErrSlowDown means the same, and that the interval is five seconds longer from now on.
	ErrSlowDown = errors.New("the authorization server asks for a longer interval")
	// ErrDenied means that the user, or a rule of the server, refused.
	ErrDenied = errors.New("the login was refused")
	// ErrLoginExpired means that the user took too long: begin again.
	ErrLoginExpired = errors.New("the login took too long")
)

// DeviceAuthorization is a device login that has begun. It prints no secrets.
type DeviceAuthorization struct {
	// DeviceCode is what the device asks with.
	DeviceCode Secret
	// UserCode is what the user types in at VerificationURI: printable characters only.
	UserCode string
	// VerificationURI is an http or https address.
	VerificationURI string
	// VerificationURIComplete has the user code in it, for a QR code. May be empty.
	VerificationURIComplete string
	// Expires is when the codes end.
	Expires time.Time
	// Interval is the time to wait between two polls.
	Interval time.Duration
}

// DeviceAuthorizer is an optional upgrade of a [Provider] that can log in without a browser on this machine
// (RFC 8628).
type DeviceAuthorizer interface {
	// AuthorizeDevice asks for the codes. It returns an error wrapping errors.ErrUnsupported if the server of
	// this very provider cannot.
	AuthorizeDevice(ctx context.Context) (*DeviceAuthorization, error)
	// PollDevice asks once whether the user is done. Errors wrap [ErrAuthorizationPending], [ErrSlowDown],
	// [ErrDenied] or [ErrLoginExpired]; any other may pass by itself.
	PollDevice(ctx context.Context, d *DeviceAuthorization) (*Credentials, error)
}
