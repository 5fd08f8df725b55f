package oauth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
)

func full() *oauth.Credentials {
	return &oauth.Credentials{
		AccessToken: oauth.NewSecret("plain-access"), RefreshToken: oauth.NewSecret("plain-refresh"),
		IDToken: oauth.NewSecret("plain-id"), TokenType: "Bearer",
		Expiry: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Scopes: []string{"a", "b"},
		AccountID: "acc", Generation: 3,
		Extra: map[string]json.RawMessage{"vendor": json.RawMessage(`"plain-extra"`)},
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	token := oauth.NewSecret("t")
	tests := []struct {
		name  string
		creds *oauth.Credentials
		skew  time.Duration
		want  bool
	}{
		{"nil", nil, 0, true},
		{"no token", &oauth.Credentials{Expiry: now.Add(time.Hour)}, 0, true},
		{"no expiry", &oauth.Credentials{AccessToken: token}, time.Hour, false},
		{"later", &oauth.Credentials{AccessToken: token, Expiry: now.Add(time.Hour)}, time.Minute, false},
		{"within skew", &oauth.Credentials{AccessToken: token, Expiry: now.Add(time.Minute)}, time.Hour, true},
		{"at skew", &oauth.Credentials{AccessToken: token, Expiry: now.Add(time.Minute)}, time.Minute, true},
		{"past", &oauth.Credentials{AccessToken: token, Expiry: now.Add(-time.Second)}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.creds.Expired(now, tt.skew); got != tt.want {
				t.Errorf("Expired = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	orig := full()
	dup := orig.Clone()
	if diff := cmp.Diff(full(), dup); diff != "" {
		t.Errorf("Clone mismatch (-want +got):\n%s", diff)
	}
	dup.Scopes[0] = "changed"
	dup.Extra["vendor"][1] = 'X'
	dup.Extra["new"] = nil
	if diff := cmp.Diff(full(), orig); diff != "" {
		t.Errorf("a change of the clone reached the original (-want +got):\n%s", diff)
	}
	if (*oauth.Credentials)(nil).Clone() != nil {
		t.Error("Clone of nil is not nil")
	}
}

func TestCredentialsPrintNoSecrets(t *testing.T) {
	t.Parallel()
	c := full()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", c)
		fmt.Fprintf(&b, verb+"\n", *c)
		fmt.Fprintf(&b, verb+"\n", []any{c, *c})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "c", c, "value", *c)
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	raw := fmt.Sprint([]byte("plain-extra")) // how a byte slice prints
	for _, leak := range []string{"plain", raw[1 : len(raw)-1], fmt.Sprintf("%x", "plain")} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("output has %q:\n%s", leak, b.String())
		}
	}
	if want := `Credentials(account "acc", expires 2030-01-02T03:04:05Z, refreshable true)`; c.String() != want {
		t.Errorf("String = %s, want %s", c, want)
	}
}
