package store_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// within is the shape of a file that is somebody else's, but for one member, which holds a login as we write it.
type within struct {
	member string
	login  store.Native
}

var _ store.Shape = within{}

// Decode implements [store.Shape].
func (s within) Decode(doc []byte) (*oauth.Credentials, error) {
	all, err := s.parse(doc)
	if err != nil {
		return nil, err
	}
	if all[s.member] == nil {
		return nil, oauth.ErrNoCredentials
	}
	return s.login.Decode(all[s.member])
}

// Encode implements [store.Shape]. What else is in the file stays.
func (s within) Encode(doc []byte, c *oauth.Credentials) ([]byte, error) {
	all, err := s.parse(doc)
	if err != nil {
		return nil, err
	}
	if all[s.member], err = s.login.Encode(all[s.member], c); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// Remove implements [store.Shape].
func (s within) Remove(doc []byte) ([]byte, error) {
	all, err := s.parse(doc)
	if err != nil {
		return nil, err
	}
	if delete(all, s.member); len(all) == 0 {
		return nil, nil // nothing is left that anybody would miss: the file goes
	}
	return json.Marshal(all)
}

// parse takes nothing of the document into its errors.
func (within) parse(doc []byte) (map[string]json.RawMessage, error) {
	all := make(map[string]json.RawMessage)
	if doc != nil && json.Unmarshal(doc, &all) != nil {
		return nil, fmt.Errorf("%w: not a JSON object", oauth.ErrCorrupt)
	}
	return all, nil
}

// A login is kept in a member of another program's settings. File does the rest: locks, modes, one step, the disk.
func ExampleShape() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(path, []byte(`{"theme":"dark"}`), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	file := &store.File{Path: path, ID: "acme", Shape: within{member: "login"}}
	ctx := context.Background()
	_, err = file.Load(ctx, "acme")
	fmt.Println(errors.Is(err, oauth.ErrNoCredentials))

	creds := &oauth.Credentials{AccessToken: oauth.NewSecret("token"), Generation: 1}
	if err := file.Save(ctx, "acme", creds); err != nil {
		fmt.Println(err)
		return
	}
	text, _ := os.ReadFile(path)
	fmt.Println(string(text))
	fmt.Println(file.Delete(ctx, "acme"))
	text, _ = os.ReadFile(path)
	fmt.Println(string(text))
	// Output:
	// true
	// {"login":{"access_token":"token","generation":1},"theme":"dark"}
	// <nil>
	// {"theme":"dark"}
}

// A login is shared with Codex: its file says when the token ends, and what else is in there stays.
func ExampleCodex() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, err := store.CodexPath(dir) // "" for the user's own
	if err != nil {
		fmt.Println(err)
		return
	}
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1926993906}`)) + ".c2ln"
	written := `{"OPENAI_API_KEY":null,` +
		`"tokens":{"access_token":"` + token + `","refresh_token":"r1","account_id":"a1"}}`
	if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	file := &store.File{Path: path, ID: "codex", Shape: store.Codex{}}
	ctx := context.Background()
	creds, err := file.Load(ctx, "codex")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(creds)
	creds.RefreshToken = oauth.NewSecret("r2") // it was refreshed
	fmt.Println(file.Save(ctx, "codex", creds))
	text, _ := os.ReadFile(path)
	fmt.Println(strings.Contains(string(text), `"r2"`), strings.Contains(string(text), "OPENAI_API_KEY"))
	// Output:
	// Credentials(account "a1", expires 2031-01-24T04:05:06Z, refreshable true)
	// <nil>
	// true true
}

// Several accounts are in one directory. What cannot be read says where it is, and nothing of what is in it.
func ExampleDir() {
	path, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(path)
	dir := &store.Dir{Path: path}
	ctx := context.Background()
	for _, id := range []string{"claude-api", "codex"} {
		if err := dir.Save(ctx, id, &oauth.Credentials{AccessToken: oauth.NewSecret("token")}); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(dir.List(ctx))
	if err := os.WriteFile(filepath.Join(path, "codex.json"), []byte(`{"access_tok`), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = dir.Load(ctx, "codex")
	if failed, ok := errors.AsType[*store.Error](err); ok {
		fmt.Println(failed.Op, failed.ID, filepath.Base(failed.Place), errors.Is(err, oauth.ErrCorrupt))
	}
	fmt.Println(dir.Delete(ctx, "codex")) // a logout puts it right
	// Output:
	// [claude-api codex] <nil>
	// load codex codex.json true
	// <nil>
}
