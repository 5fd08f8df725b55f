package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// The bounds of what a server says of a device login.
const (
	defaultDeviceInterval = 5 * time.Second
	maxDeviceInterval     = time.Minute
	defaultDeviceLife     = 10 * time.Minute
	maxDeviceLife         = time.Hour
	maxUserCode           = 64
)

// AuthorizeDevice begins a device login. It returns an error wrapping errors.ErrUnsupported without an
// Endpoint.DeviceAuthURL. What the server says for people to read is checked: addresses are http or https,
// and codes have no characters that a terminal obeys.
func (p *ConfigProvider) AuthorizeDevice(ctx context.Context) (*DeviceAuthorization, error) {
	const op = "authorize device"
	address := p.cfg.OAuth2.Endpoint.DeviceAuthURL
	if address == "" {
		return nil, fmt.Errorf("%s: %s: %w", p.cfg.Info.Name, op, errors.ErrUnsupported)
	}
	params := url.Values{}
	setNonEmpty(params, "scope", strings.Join(p.cfg.Info.Scopes, " "))
	began := time.Now()
	body, err := p.post(ctx, op, address, params)
	if err != nil {
		return nil, err
	}
	var answer struct {
		DeviceCode  string        `json:"device_code"`
		UserCode    string        `json:"user_code"`
		URI         string        `json:"verification_uri"`
		URL         string        `json:"verification_url"` // what Google sends
		URIComplete string        `json:"verification_uri_complete"`
		ExpiresIn   lenientNumber `json:"expires_in"`
		Interval    lenientNumber `json:"interval"`
	}
	failed := &EndpointError{Provider: p.cfg.Info.Name, Op: op, Status: http.StatusOK, Err: errNotJSON}
	if json.Unmarshal(body, &answer) != nil {
		return nil, failed
	}
	if answer.URI == "" {
		answer.URI = answer.URL
	}
	if answer.DeviceCode == "" || !isUserCode(answer.UserCode) || !isWebAddress(answer.URI) {
		failed.Err = errors.New("the answer lacks a code or an address that can be shown")
		return nil, failed
	}
	if !isWebAddress(answer.URIComplete) {
		answer.URIComplete = ""
	}
	return &DeviceAuthorization{
		DeviceCode: NewSecret(answer.DeviceCode), UserCode: answer.UserCode,
		VerificationURI: answer.URI, VerificationURIComplete: answer.URIComplete,
		Expires:  began.Add(bounded(answer.ExpiresIn, defaultDeviceLife, maxDeviceLife)),
		Interval: bounded(answer.Interval, defaultDeviceInterval, maxDeviceInterval),
	}, nil
}

// PollDevice asks the token endpoint once whether the user is done.
func (p *ConfigProvider) PollDevice(ctx context.Context, d *DeviceAuthorization) (*Credentials, error) {
	params := url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {d.DeviceCode.Reveal()},
	}
	return p.login(ctx, "poll device", params)
}

// bounded gives a server's number of seconds, or the default where it says nothing.
func bounded(seconds lenientNumber, byDefault, limit time.Duration) time.Duration {
	if !(seconds > 0) {
		return byDefault
	}
	return time.Duration(min(float64(seconds), limit.Seconds()) * float64(time.Second))
}

// isUserCode tells whether people can read and type s, and a terminal does nothing with it but show it.
func isUserCode(s string) bool {
	hidden := strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	return s != "" && len(s) <= maxUserCode && !hidden
}

// isWebAddress tells whether s may be shown to a user, and opened in a browser.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && isHeaderValue(s)
}
