package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// exampleProvider is an authorization server's provider, as a configuration describes it.
func exampleProvider(server *oauthtest.Server) *oauth.ConfigProvider {
	provider, err := oauth.NewConfigProvider(server.ProviderConfig("acme"))
	if err != nil {
		log.Fatal(err)
	}
	return provider
}

// A program has login pages of its own: one that sends the browser away, and one that it comes back to.
func ExampleSessions() {
	const here = "https://app.example/callback"
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	provider := exampleProvider(server)
	var sessions oauth.Sessions // in memory; a Store shares them among processes

	// The first page:
	var session oauth.Session
	session, err := sessions.Begin(ctx, provider.Info().Name, here)
	if err != nil {
		log.Fatal(err)
	}
	address, err := provider.AuthorizationURL(ctx, oauth.AuthorizationRequest{
		State: session.State.Reveal(), Verifier: session.Verifier.Reveal(), RedirectURI: here,
	})
	if err != nil {
		log.Fatal(err)
	}
	back, err := server.Consent(address) // the user, in a browser
	if err != nil {
		log.Fatal(err)
	}

	// The second page:
	callback, err := url.Parse(back)
	if err != nil {
		log.Fatal(err)
	}
	q := callback.Query()
	session, err = sessions.Finish(ctx, provider.Info().Name, here, q.Get("state"))
	if err != nil {
		log.Fatal(err) // nobody began this login here, or it was finished already
	}
	creds, err := provider.HandleCallback(ctx, oauth.Callback{
		Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss"),
		Verifier: session.Verifier.Reveal(), RedirectURI: session.RedirectURI,
	})
	fmt.Println(creds.AccountID, creds.AccessToken, err) // for TokenManager.Login
	_, err = sessions.Finish(ctx, provider.Info().Name, here, q.Get("state"))
	fmt.Println(errors.Is(err, oauth.ErrSession))
	// Output:
	// account-1 [REDACTED] <nil>
	// true
}

// A provider that is no ConfigProvider sends the challenge with the browser, and the verifier with the code. These
// are the ones of RFC 7636.
func ExampleChallenge() {
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	q := url.Values{"code_challenge": {oauth.Challenge(verifier)}, "code_challenge_method": {"S256"}}
	fmt.Println(q.Encode())
	// Output:
	// code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256
}

// deviceLogin logs in without a browser on this machine: the user types a code in somewhere else. Package
// oauth/flow has one that is ready, with all there is to be careful about.
func deviceLogin(
	ctx context.Context, p oauth.DeviceAuthorizer, show func(*oauth.DeviceAuthorization), waited func(error),
) (*oauth.Credentials, error) {
	d, err := p.AuthorizeDevice(ctx)
	if err != nil {
		return nil, err
	}
	show(d)
	for interval := d.Interval; ; {
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		creds, err := p.PollDevice(ctx, d)
		switch {
		case errors.Is(err, oauth.ErrSlowDown):
			interval += 5 * time.Second
		case !errors.Is(err, oauth.ErrAuthorizationPending):
			return creds, err
		}
		waited(err)
	}
}

func ExampleDeviceAuthorizer() {
	server := &oauthtest.Server{DeviceInterval: time.Millisecond}
	var code string
	creds, err := deviceLogin(context.Background(), exampleProvider(server),
		func(d *oauth.DeviceAuthorization) {
			code = d.UserCode
			fmt.Println("visit", d.VerificationURI, "and enter", d.UserCode)
		},
		func(err error) {
			fmt.Println(err)
			server.ApproveDevice(code) // the user, meanwhile
		})
	if err != nil {
		log.Fatal(err) // such as oauth.ErrDenied and oauth.ErrLoginExpired
	}
	fmt.Println(creds.AccountID, creds.AccessToken)
	// Output:
	// visit https://oauth.test/activate and enter TEST-0001
	// acme: poll device: status 400 (authorization_pending): the user has not finished the login yet
	// account-1 [REDACTED]
}
