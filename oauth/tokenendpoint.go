package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccproxy-go/ccproxy/internal/secret"
)

// tokenAnswer is a successful answer of a token endpoint.
type tokenAnswer struct {
	AccessToken  string        `json:"access_token"`
	RefreshToken string        `json:"refresh_token"`
	IDToken      string        `json:"id_token"`
	TokenType    string        `json:"token_type"`
	ExpiresIn    lenientNumber `json:"expires_in"`
	Scope        lenientList   `json:"scope"`

	raw  json.RawMessage
	sent time.Time
}

// maxLifetime bounds what a server says of a token's life, before it overflows.
const maxLifetime = 10 * 365 * 24 * time.Hour

// renew gives c with what the answer brings. The life of the token is counted from when it was asked for:
// a slow answer makes it shorter, never longer.
func (a *tokenAnswer) renew(c *Credentials) *Credentials {
	next := c.Clone()
	next.AccessToken = NewSecret(a.AccessToken)
	next.TokenType = a.TokenType
	if a.RefreshToken != "" {
		next.RefreshToken = NewSecret(a.RefreshToken)
	}
	if a.IDToken != "" {
		next.IDToken = NewSecret(a.IDToken)
	}
	if len(a.Scope) > 0 {
		next.Scopes = a.Scope
	}
	next.Expiry = claimedExpiry(next.AccessToken)
	if life := float64(a.ExpiresIn); life > 0 {
		life = min(life, maxLifetime.Seconds())
		next.Expiry = a.sent.Add(time.Duration(life * float64(time.Second))).Round(0).UTC()
	}
	next.Generation++
	return next
}

// tokenRequest sends params to the token endpoint.
func (p *ConfigProvider) tokenRequest(ctx context.Context, op string, params url.Values) (*tokenAnswer, error) {
	sent := time.Now()
	body, err := p.post(ctx, op, p.cfg.OAuth2.Endpoint.TokenURL, params)
	if err != nil {
		return nil, err
	}
	answer := &tokenAnswer{sent: sent, raw: body}
	failed := &EndpointError{Provider: p.cfg.Info.Name, Op: op, Status: http.StatusOK}
	if json.Unmarshal(body, answer) != nil {
		failed.Err = errNotJSON
		return nil, failed
	}
	if answer.AccessToken == "" {
		failed.Err = errNoToken
		if failed.Code = errorCode(body, secretsOf(params)); failed.Code != "" {
			failed.Err = refusal(failed.Status, failed.Code) // some servers refuse with status 200
		}
		return nil, failed
	}
	if !isHeaderValue(answer.AccessToken) {
		failed.Err = errTokenShape
		return nil, failed
	}
	return answer, nil
}

// post sends one request and gives the body of an answer with a status of success. It goes to the transport
// and not through an http.Client, which would follow redirects and take secrets to wherever they lead.
func (p *ConfigProvider) post(ctx context.Context, op, address string, params url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(secret.WithBody(ctx), p.cfg.Timeout, errTimeout)
	defer cancel()
	failed := &EndpointError{Provider: p.cfg.Info.Name, Op: op}
	req, err := p.newRequest(ctx, address, params)
	if err != nil {
		failed.Err = err
		return nil, failed
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		failed.Err = noAnswer(ctx, err)
		return nil, failed
	}
	defer resp.Body.Close()
	failed.Status = resp.StatusCode
	failed.RetryAfter = retryAfter(resp.Header, time.Now())
	body, err := io.ReadAll(io.LimitReader(resp.Body, p.cfg.AnswerBytes+1))
	switch {
	case int64(len(body)) > p.cfg.AnswerBytes:
		failed.Err = errTooLarge
	case err != nil:
		failed.Err = noAnswer(ctx, err)
	case resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices:
		failed.Code = errorCode(body, secretsOf(params))
		failed.Err = refusal(resp.StatusCode, failed.Code)
	default:
		return body, nil
	}
	return nil, failed
}

// newRequest makes a request with the client's own credentials.
func (p *ConfigProvider) newRequest(ctx context.Context, address string, params url.Values) (*http.Request, error) {
	client := p.cfg.OAuth2
	inHeader := client.ClientSecret != "" && client.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		params = maps.Clone(params)
		params.Set("client_id", client.ClientID)
		setNonEmpty(params, "client_secret", client.ClientSecret)
	}
	body, contentType := []byte(params.Encode()), "application/x-www-form-urlencoded"
	if p.cfg.JSON && address == client.Endpoint.TokenURL {
		body, contentType = asJSON(params), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range p.cfg.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	if inHeader {
		req.SetBasicAuth(url.QueryEscape(client.ClientID), url.QueryEscape(client.ClientSecret))
	}
	return req, nil
}

// asJSON gives the parameters as one object of strings.
func asJSON(params url.Values) []byte {
	object := make(map[string]string, len(params))
	for k := range params {
		object[k] = params.Get(k)
	}
	b, _ := json.Marshal(object) //nolint:errchkjson // strings always marshal
	return b
}

// secretsOf lists the values that must not come back in an error.
func secretsOf(params url.Values) []string {
	var secrets []string
	for _, key := range []string{"code", "code_verifier", "state", "refresh_token", "device_code", "token"} {
		secrets = append(secrets, params[key]...)
	}
	return secrets
}

// noAnswer gives the reason without the address, whose query might hold more than is good to log.
func noAnswer(ctx context.Context, err error) error {
	if at, ok := errors.AsType[*url.Error](err); ok {
		err = at.Err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", errNoAnswer, err)
}

// isHeaderValue tells whether a token can stand in a header field.
func isHeaderValue(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// lenientNumber decodes a number that may be written as a string; anything else is zero.
type lenientNumber float64

// UnmarshalJSON never fails: a lifetime that nobody understands is an unknown one.
func (n *lenientNumber) UnmarshalJSON(b []byte) error {
	var f float64
	if json.Unmarshal(bytes.Trim(b, `"`), &f) != nil {
		f = 0
	}
	*n = lenientNumber(f)
	return nil
}

// lenientList decodes words in one string, or a list of strings; anything else is none.
type lenientList []string

// UnmarshalJSON never fails.
func (l *lenientList) UnmarshalJSON(b []byte) error {
	var words string
	if json.Unmarshal(b, &words) == nil {
		*l = strings.Fields(words)
		return nil
	}
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*l = list
	}
	return nil
}
