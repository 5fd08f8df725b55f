package oauthtest_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

func provider(t *testing.T, s *oauthtest.Server) *oauth.ConfigProvider {
	t.Helper()
	p, err := oauth.NewConfigProvider(s.ProviderConfig("example"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func callback(t *testing.T, s *oauthtest.Server, p oauth.Provider, verifier string) oauth.Callback {
	t.Helper()
	address, err := p.AuthorizationURL(t.Context(), oauth.AuthorizationRequest{State: "state", Verifier: verifier})
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Consent(address)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	return oauth.Callback{Code: q.Get("code"), State: q.Get("state"), Verifier: verifier, Issuer: q.Get("iss")}
}

func TestCodeWorksOnce(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	p := provider(t, s)
	cb := callback(t, s, p, "verifier")
	c, err := p.HandleCallback(t.Context(), cb)
	if err != nil || !s.Newest(c) || !s.Accepts(c.AccessToken.Reveal()) || c.AccountID != "account-1" {
		t.Fatalf("HandleCallback = %v, %v", c, err)
	}
	if _, err := p.HandleCallback(t.Context(), cb); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("HandleCallback again = %v", err)
	}
	if s.Accepts(c.AccessToken.Reveal()) || !s.Revoked(c) || s.Counts().CodeReuses != 1 {
		t.Errorf("the tokens still work, %+v", s.Counts())
	}
}

func TestVerifierIsChecked(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	p := provider(t, s)
	cb := callback(t, s, p, "verifier")
	cb.Verifier = "other"
	if _, err := p.HandleCallback(t.Context(), cb); !errors.Is(err, oauth.ErrNeedsLogin) || s.Counts().BadVerifiers != 1 {
		t.Errorf("HandleCallback = %v, %+v", err, s.Counts())
	}
}

func TestRefreshTokenWorksOnce(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	p := provider(t, s)
	first := s.Login()
	second, err := p.Refresh(t.Context(), first)
	if err != nil || !s.Newest(second) || s.Newest(first) {
		t.Fatalf("Refresh = %v, %v", second, err)
	}
	if _, err := p.Refresh(t.Context(), first); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Refresh with a spent token = %v", err)
	}
	if _, err := p.Refresh(t.Context(), second); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Refresh after the login was revoked = %v", err)
	}
	want := oauthtest.Counts{Requests: map[oauthtest.Endpoint]int{oauthtest.Token: 3}, Refreshes: 1, Reuses: 1}
	if diff := cmp.Diff(want, s.Counts()); diff != "" {
		t.Errorf("Counts mismatch (-want +got):\n%s", diff)
	}
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	p := provider(t, s)
	c := s.Login()
	s.Fail(oauthtest.Token, oauthtest.Fault{Lost: true})
	if _, err := p.Refresh(t.Context(), c); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Refresh = %v", err)
	}
	if _, err := p.Refresh(t.Context(), c); !errors.Is(err, oauth.ErrNeedsLogin) {
		t.Errorf("Refresh again = %v", err)
	}
	if n := s.Counts(); n.LostReplays != 1 || n.Reuses != 0 || n.Refreshes != 1 {
		t.Errorf("Counts = %+v", n)
	}
}

// A client that leaves while the server works has lost the answer, too.
func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(oauthtest.Server)
		p := provider(t, s)
		c := s.Login()
		s.Fail(oauthtest.Token, oauthtest.Fault{Slow: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Refresh(ctx, c); err == nil {
			t.Error("Refresh = nil")
		}
		synctest.Wait()
		if _, err := p.Refresh(t.Context(), c); !errors.Is(err, oauth.ErrNeedsLogin) || s.Counts().LostReplays != 1 {
			t.Errorf("Refresh again = %v, %+v", err, s.Counts())
		}
	})
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &oauthtest.Server{Lifetime: time.Minute, ReuseRefreshTokens: true}
		c := s.Login()
		time.Sleep(time.Minute)
		if s.Accepts(c.AccessToken.Reveal()) {
			t.Error("an ended token is accepted")
		}
		for range 2 {
			var err error
			if c, err = provider(t, s).Refresh(t.Context(), c); err != nil || !s.Newest(c) {
				t.Errorf("Refresh = %v, %v", c, err)
			}
		}
	})
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	c := s.Login()
	if err := provider(t, s).Revoke(t.Context(), c); err != nil || !s.Revoked(c) || s.Counts().Revocations != 2 {
		t.Errorf("Revoke = %v, %+v", err, s.Counts())
	}
}

func TestEarlyPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(oauthtest.Server)
		p := provider(t, s)
		d, err := p.AuthorizeDevice(t.Context())
		if err != nil || !s.ApproveDevice(d.UserCode) || s.ApproveDevice("TEST-9999") {
			t.Fatalf("AuthorizeDevice = %+v, %v", d, err)
		}
		s.DenyDevice(d.UserCode)
		if _, err := p.PollDevice(t.Context(), d); !errors.Is(err, oauth.ErrDenied) {
			t.Errorf("PollDevice = %v", err)
		}
		if _, err := p.PollDevice(t.Context(), d); !errors.Is(err, oauth.ErrSlowDown) || s.Counts().EarlyPolls != 1 {
			t.Errorf("PollDevice at once = %v", err)
		}
	})
}

func TestHeal(t *testing.T) {
	t.Parallel()
	s := new(oauthtest.Server)
	s.Fail(oauthtest.Token, oauthtest.Gateway(), oauthtest.Empty())
	s.Fail(oauthtest.Revoke, oauthtest.Overloaded(3))
	if n := s.Heal(); n != 3 {
		t.Errorf("Heal = %d", n)
	}
	if _, err := provider(t, s).Refresh(t.Context(), s.Login()); err != nil {
		t.Errorf("Refresh = %v", err)
	}
}
