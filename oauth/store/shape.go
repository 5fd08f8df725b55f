package store

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Shape is how a file holds the credentials of one login. [Native], [Claude] and [Codex] are shapes; implement
// it for another vendor's file. Its methods must be safe for concurrent use, and their errors must hold
// nothing of the document.
type Shape interface {
	// Decode finds the credentials in a document. Members that have no field go to Extra. The error wraps
	// [oauth.ErrNoCredentials] if the document is sound but holds none, and [oauth.ErrCorrupt] if it cannot
	// be understood.
	Decode(doc []byte) (*oauth.Credentials, error)
	// Encode gives a document with c in place of what doc holds. Whatever else is in doc stays. A nil doc
	// is a file that does not exist yet.
	Encode(doc []byte, c *oauth.Credentials) ([]byte, error)
	// Remove gives doc without the credentials, or nil if nothing is left that anybody would miss.
	Remove(doc []byte) ([]byte, error)
}

// Native is the project's own shape, an object with the names that [oauth.Credentials] has in JSON, and the
// plain tokens. Members that it does not know are kept.
//
//	{"access_token":"…","refresh_token":"…","expiry":"2031-02-03T04:05:06Z","generation":7,"extra":{…}}
type Native struct{}

var _ Shape = Native{}

// Decode implements [Shape].
func (Native) Decode(doc []byte) (*oauth.Credentials, error) {
	o, err := parseObject(doc)
	if err != nil {
		return nil, err
	}
	r := reader{o: o}
	c := &oauth.Credentials{
		AccessToken: r.secret("access_token"), RefreshToken: r.secret("refresh_token"), IDToken: r.secret("id_token"),
		TokenType: r.text("token_type"), Expiry: r.moment("expiry"), Scopes: r.list("scopes"),
		AccountID: r.text("account_id"), Generation: r.count("generation"), Extra: r.object("extra").extra(nil),
	}
	return r.credentials(c)
}

// Encode implements [Shape].
func (Native) Encode(doc []byte, c *oauth.Credentials) ([]byte, error) {
	o, err := existing(doc)
	if err != nil {
		return nil, err
	}
	o.setSecret("access_token", c.AccessToken, nil)
	o.setSecret("refresh_token", c.RefreshToken, nil)
	o.setSecret("id_token", c.IDToken, nil)
	o.setText("token_type", c.TokenType, nil)
	o.setText("expiry", stamp(c.Expiry), nil)
	o.setList("scopes", c.Scopes, nil)
	o.setText("account_id", c.AccountID, nil)
	o.delete("generation")
	if c.Generation > 0 {
		o.set("generation", number(c.Generation))
	}
	o.delete("extra")
	if len(c.Extra) > 0 {
		extra := new(object)
		extra.setExtra(c.Extra, nil, false)
		o.set("extra", extra.bytes())
	}
	return o.document(doc, false)
}

// Remove implements [Shape]. Nothing is kept: what else is there belonged to the login.
func (Native) Remove([]byte) ([]byte, error) { return nil, nil }

// existing gives the object of a document that may not exist.
func existing(doc []byte) (*object, error) {
	if doc == nil {
		return new(object), nil
	}
	return parseObject(doc)
}

// reader reads members of an object until the first one that is wrong.
type reader struct {
	o   *object
	err error
}

// member reads one with a method of object, which says what is wrong.
func readMember[T any](r *reader, key string, read func(string) (T, error)) (value T) {
	if r.err == nil {
		value, r.err = read(key)
	}
	return value
}

func (r *reader) text(key string) string         { return readMember(r, key, r.o.text) }
func (r *reader) secret(key string) oauth.Secret { return readMember(r, key, r.o.secret) }
func (r *reader) list(key string) []string       { return readMember(r, key, r.o.list) }
func (r *reader) moment(key string) time.Time    { return readMember(r, key, r.o.moment) }

// object never gives nil, also after an error.
func (r *reader) object(key string) *object {
	if o := readMember(r, key, r.o.object); o != nil {
		return o
	}
	return new(object)
}

func (r *reader) count(key string) (n uint64) {
	if raw := r.o.raw(key); raw != nil && r.err == nil && json.Unmarshal(raw, &n) != nil {
		r.err = corrupt("%s is not a number", key)
	}
	return n
}

// credentials gives c if all could be read and there is something to log in with. A blank access token beside
// a refresh token is what a program leaves that failed to refresh; it can still be tried.
func (r *reader) credentials(c *oauth.Credentials) (*oauth.Credentials, error) {
	if r.err != nil {
		return nil, r.err
	}
	if c.AccessToken.IsZero() && c.RefreshToken.IsZero() {
		return nil, oauth.ErrNoCredentials
	}
	return c, nil
}

// stamp writes a time, "" for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func number[N ~uint64 | ~int64](n N) json.RawMessage {
	if n < 0 {
		return json.RawMessage(strconv.FormatInt(int64(n), 10))
	}
	return json.RawMessage(strconv.FormatUint(uint64(n), 10))
}

// sameLogin tells whether c came from the credentials in doc by refreshing, as far as anybody can tell. Then
// members that c knows nothing of are still true.
func sameLogin(s Shape, doc []byte, c *oauth.Credentials) bool {
	if doc == nil || c.Generation < 2 {
		return false
	}
	old, err := s.Decode(doc)
	return err == nil && old.AccountID == c.AccountID || errors.Is(err, oauth.ErrNoCredentials)
}
