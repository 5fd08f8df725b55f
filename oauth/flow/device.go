package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// slowDown is what a server that asks for it adds to the interval for good.
const slowDown = 5 * time.Second

// device has the user type in a code elsewhere, and asks the server until that is done.
func (a *attempt) device(ctx context.Context) (*oauth.Credentials, error) {
	p, ok := a.provider.(oauth.DeviceAuthorizer)
	if !ok {
		return nil, fmt.Errorf("%s: login by device: %w", a.name, errors.ErrUnsupported)
	}
	d, err := p.AuthorizeDevice(ctx)
	if err != nil {
		return nil, err
	}
	err = a.UI.Show(ctx, Visit{
		Method: Device, URL: d.VerificationURI, UserCode: d.UserCode, Complete: d.VerificationURIComplete,
		Expires: d.Expires,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, d.Expires, oauth.ErrLoginExpired)
	defer cancel()
	for interval := max(d.Interval, time.Second); ; {
		timer := time.NewTimer(interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%s: %w", a.name, context.Cause(ctx))
		}
		c, err := p.PollDevice(ctx, d)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", a.name, context.Cause(ctx))
		case errors.Is(err, oauth.ErrSlowDown):
			interval += slowDown
		case errors.Is(err, oauth.ErrAuthorizationPending):
		case isFinal(err):
			return nil, err
		default:
			interval = min(2*interval, max(interval, time.Minute)) // the server, or the way to it, is not well
		}
	}
}

func isFinal(err error) bool {
	return errors.Is(err, oauth.ErrDenied) || errors.Is(err, oauth.ErrLoginExpired) ||
		errors.Is(err, oauth.ErrNeedsLogin) || errors.Is(err, oauth.ErrInvalid)
}
