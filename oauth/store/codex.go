package store

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Codex is the shape of the file in which OpenAI's Codex keeps its login:
//
//	{"OPENAI_API_KEY":null,"tokens":{"id_token":"…","access_token":"…","refresh_token":"…","account_id":"…"},
//	 "last_refresh":"2026-01-02T03:04:05.000000Z"}
//
// The expiry is that of the access token, which is a JSON Web Token. An account id that is only the subject of
// the id token is replaced by the ChatGPT account that the token names. Members of tokens that have no field
// in [oauth.Credentials] are in Extra. All others stay as they are, and so does the rest of the file, an API
// key among them. What the shape has no place for, such as the generation, goes to a member "ccproxy", which
// counts only while the access token is the same.
type Codex struct{}

var _ Shape = Codex{}

// CodexPath gives the file that Codex uses. codexHome is the value of the variable CODEX_HOME, empty for
// ".codex" in the user's home directory.
func CodexPath(codexHome string) (string, error) {
	return vendorPath(codexHome, ".codex", "auth.json")
}

const (
	codexKey     = "tokens"
	codexAPIKey  = "OPENAI_API_KEY"
	codexRefresh = "last_refresh"
)

func codexMembers() []string {
	return []string{"id_token", "access_token", "refresh_token", "account_id"}
}

// Decode implements [Shape].
func (s Codex) Decode(doc []byte) (*oauth.Credentials, error) {
	o, err := parseObject(doc)
	if err != nil {
		return nil, err
	}
	c, err := s.plain(o)
	if err != nil {
		return nil, err
	}
	return c, readNote(o, c)
}

// plain reads what Codex would read.
func (Codex) plain(o *object) (*oauth.Credentials, error) {
	tokens, err := o.object(codexKey)
	if err != nil {
		return nil, err
	}
	r := reader{o: tokens}
	c := &oauth.Credentials{
		AccessToken: r.secret("access_token"), RefreshToken: r.secret("refresh_token"), IDToken: r.secret("id_token"),
		AccountID: r.text("account_id"), Extra: tokens.extra(codexMembers()),
	}
	c.AccountID = chatGPTAccount(c)
	c.Expiry = claimedExpiry(c.AccessToken)
	return r.credentials(c)
}

// chatGPTAccount corrects an account id that is missing, or is the user's where the account's belongs.
func chatGPTAccount(c *oauth.Credentials) string {
	var claims struct {
		Subject string `json:"sub"`
		Auth    struct {
			Account string `json:"chatgpt_account_id"`
		} `json:"https://api.openai.com/auth"`
	}
	err := oauth.Claims(c.IDToken, &claims)
	if err != nil || claims.Auth.Account == "" || c.AccountID != "" && c.AccountID != claims.Subject {
		return c.AccountID
	}
	return claims.Auth.Account
}

// claimedExpiry is the end that a JSON Web Token names, else the zero time.
func claimedExpiry(token oauth.Secret) time.Time {
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if oauth.Claims(token, &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expiry), 0).UTC()
}

// Encode implements [Shape].
func (s Codex) Encode(doc []byte, c *oauth.Credentials) ([]byte, error) {
	o, err := existing(doc)
	if err != nil {
		return nil, err
	}
	tokens, err := o.object(codexKey)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		o.set(codexAPIKey, json.RawMessage("null"))
	}
	// A plain file's tokens must be strings: Codex refuses the whole file if one is null.
	none := json.RawMessage(`""`)
	before, err := tokens.secret("access_token")
	refreshed := err != nil || !before.Equal(c.AccessToken)
	tokens.setSecret("id_token", c.IDToken, none)
	tokens.setSecret("access_token", c.AccessToken, none)
	tokens.setSecret("refresh_token", c.RefreshToken, none)
	tokens.setText("account_id", c.AccountID, json.RawMessage("null"))
	tokens.setExtra(c.Extra, codexMembers(), sameLogin(s, doc, c))
	o.set(codexKey, tokens.bytes())
	if refreshed {
		o.set(codexRefresh, quote(time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")))
	}
	plain, err := s.plain(o)
	if err != nil && !errors.Is(err, oauth.ErrNoCredentials) {
		return nil, err
	}
	writeNote(o, c, plain)
	return o.document(doc, true)
}

// Remove implements [Shape]. An API key stays.
func (Codex) Remove(doc []byte) ([]byte, error) {
	o, err := parseObject(doc)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{codexKey, codexRefresh, noteKey} {
		o.delete(key)
	}
	if o.raw(codexAPIKey) == nil {
		o.delete(codexAPIKey)
	}
	if len(o.members) == 0 {
		return nil, nil
	}
	return o.document(doc, true)
}
