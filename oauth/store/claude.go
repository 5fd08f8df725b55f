package store

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Claude is the shape of the file in which Anthropic's command line keeps its login:
//
//	{"claudeAiOauth":{"accessToken":"…","refreshToken":"…","expiresAt":1926993906000,"scopes":["…"],
//	 "subscriptionType":"max"}}
//
// Members of claudeAiOauth that have no field in [oauth.Credentials], such as subscriptionType, are in Extra.
// All others stay as they are, and so does the rest of the file. What the shape has no place for, such as the
// generation, goes to a member "ccproxy" beside it, which counts only while the access token is the same.
type Claude struct{}

var _ Shape = Claude{}

// ClaudePath gives the file that Anthropic's command line uses. configDir is the value of the variable
// CLAUDE_CONFIG_DIR, empty for ".claude" in the user's home directory.
func ClaudePath(configDir string) (string, error) {
	return vendorPath(configDir, ".claude", ".credentials.json")
}

// vendorPath looks the home directory up if dir is empty.
func vendorPath(dir, inHome, name string) (string, error) {
	if dir != "" {
		return filepath.Join(dir, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, inHome, name), nil
}

const claudeKey = "claudeAiOauth"

func claudeMembers() []string { return []string{"accessToken", "refreshToken", "expiresAt", "scopes"} }

// Decode implements [Shape].
func (s Claude) Decode(doc []byte) (*oauth.Credentials, error) {
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

// plain reads what the vendor's command would read.
func (Claude) plain(o *object) (*oauth.Credentials, error) {
	login, err := o.object(claudeKey)
	if err != nil {
		return nil, err
	}
	r := reader{o: login}
	return r.credentials(&oauth.Credentials{
		AccessToken: r.secret("accessToken"), RefreshToken: r.secret("refreshToken"),
		Expiry: r.moment("expiresAt"), Scopes: r.list("scopes"), Extra: login.extra(claudeMembers()),
	})
}

// Encode implements [Shape].
func (s Claude) Encode(doc []byte, c *oauth.Credentials) ([]byte, error) {
	o, err := existing(doc)
	if err != nil {
		return nil, err
	}
	login, err := o.object(claudeKey)
	if err != nil {
		return nil, err
	}
	null := json.RawMessage("null")
	login.setSecret("accessToken", c.AccessToken, null)
	login.setSecret("refreshToken", c.RefreshToken, null)
	login.set("expiresAt", null)
	if !c.Expiry.IsZero() {
		login.set("expiresAt", number(c.Expiry.UnixMilli()))
	}
	login.setList("scopes", c.Scopes, json.RawMessage("[]"))
	login.setExtra(c.Extra, claudeMembers(), sameLogin(s, doc, c))
	o.set(claudeKey, login.bytes())
	plain, err := s.plain(o)
	if err != nil {
		return nil, err
	}
	writeNote(o, c, plain)
	return o.document(doc, false)
}

// Remove implements [Shape].
func (Claude) Remove(doc []byte) ([]byte, error) {
	o, err := parseObject(doc)
	if err != nil {
		return nil, err
	}
	o.delete(claudeKey)
	o.delete(noteKey)
	if len(o.members) == 0 {
		return nil, nil
	}
	return o.document(doc, false)
}
