package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// named is a Provider with nothing but an Info.
type named struct{ info oauth.Info }

func (n named) Info() oauth.Info { return n.info }

func (named) AuthorizationURL(context.Context, oauth.AuthorizationRequest) (string, error) {
	return "", errors.ErrUnsupported
}

func (named) HandleCallback(context.Context, oauth.Callback) (*oauth.Credentials, error) {
	return nil, errors.ErrUnsupported
}

func (named) Refresh(context.Context, *oauth.Credentials) (*oauth.Credentials, error) {
	return nil, oauth.ErrNeedsLogin
}

func provider(name string) oauth.Provider { return named{oauth.Info{Name: name}} }

func TestRegistry(t *testing.T) {
	t.Parallel()
	var reg oauth.Registry
	for _, name := range []string{"codex", "claude-api"} {
		if _, err := reg.Register(provider(name)); err != nil {
			t.Fatal(err)
		}
	}
	p, ok := reg.Lookup("codex")
	if !ok || p.Info().Name != "codex" {
		t.Errorf("Lookup = %v, %t", p, ok)
	}
	if _, ok := reg.Lookup("other"); ok {
		t.Error("found a provider that was never registered")
	}
	if diff := cmp.Diff([]oauth.Info{{Name: "claude-api"}, {Name: "codex"}}, reg.Infos()); diff != "" {
		t.Errorf("Infos mismatch (-want +got):\n%s", diff)
	}
	if got := reg.Len(); got != 2 {
		t.Errorf("Len = %d, want 2", got)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	var reg oauth.Registry
	if _, err := reg.Register(provider("a")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		provider oauth.Provider
		want     error
	}{
		{"duplicate", provider("a"), oauth.ErrDuplicate},
		{"nil", nil, oauth.ErrInvalid},
		{"no name", provider(""), oauth.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := reg.Register(tt.provider); !errors.Is(err, tt.want) {
				t.Errorf("Register = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnregisterLeavesSuccessor(t *testing.T) {
	t.Parallel()
	var reg oauth.Registry
	unregister, err := reg.Register(provider("a"))
	if err != nil {
		t.Fatal(err)
	}
	unregister()
	if _, ok := reg.Lookup("a"); ok {
		t.Error("provider is still found")
	}
	if _, err := reg.Register(provider("a")); err != nil {
		t.Fatalf("the name is not free again: %v", err)
	}
	unregister()
	if _, ok := reg.Lookup("a"); !ok {
		t.Error("a second unregister removed the successor")
	}
}

func TestInfoJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(oauth.Info{
		Name: "n", DisplayName: "N", Description: "d", SupportsPKCE: true, Scopes: []string{"s"}, Plugin: "p",
	})
	want := `{"name":"n","display_name":"N","description":"d","supports_pkce":true,"supports_refresh":false,` +
		`"scopes":["s"],"plugin_name":"p"}`
	if err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v\nwant      %s", got, err, want)
	}
}
