package store

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// noteKey is a member beside a vendor's own, for what the vendor's shape has no place for. The vendor's
// command may keep it or drop it.
const noteKey = "ccproxy"

// readNote adds to c what the note says, if it speaks of the same access token: after a login by the vendor's
// command it would tell of the login before.
func readNote(o *object, c *oauth.Credentials) error {
	r := &reader{o: o}
	r = &reader{o: r.object(noteKey), err: r.err}
	if r.err != nil {
		return r.err
	}
	if of := r.text("of"); r.err != nil || of != fingerprint(c.AccessToken) {
		return r.err
	}
	c.Generation = r.count("generation")
	if account := r.text("account_id"); account != "" {
		c.AccountID = account
	}
	if idToken := r.secret("id_token"); !idToken.IsZero() {
		c.IDToken = idToken
	}
	c.TokenType = r.text("token_type")
	if expiry := r.moment("expiry"); !expiry.IsZero() {
		c.Expiry = expiry
	}
	if scopes := r.list("scopes"); len(scopes) > 0 {
		c.Scopes = scopes
	}
	return r.err
}

// writeNote notes what plain, which holds what reading the rest of the document would give, lacks of c.
func writeNote(o *object, c, plain *oauth.Credentials) {
	note := new(object)
	if c.Generation > 0 {
		note.set("generation", number(c.Generation))
	}
	if c.AccountID != plain.AccountID {
		note.setText("account_id", c.AccountID, nil)
	}
	if !c.IDToken.Equal(plain.IDToken) {
		note.setSecret("id_token", c.IDToken, nil)
	}
	note.setText("token_type", c.TokenType, nil)
	if !c.Expiry.Equal(plain.Expiry) {
		note.setText("expiry", stamp(c.Expiry), nil)
	}
	if len(plain.Scopes) == 0 {
		note.setList("scopes", c.Scopes, nil)
	}
	if len(note.members) == 0 {
		o.delete(noteKey)
		return
	}
	note.set("of", quote(fingerprint(c.AccessToken)))
	o.set(noteKey, note.bytes())
}

// fingerprint tells tokens apart. It stands beside the token itself, so it gives nothing away.
func fingerprint(token oauth.Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:8])
}
