package oauth_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// BenchmarkToken is what each request pays while a token is good.
func BenchmarkToken(b *testing.B) {
	server := new(oauthtest.Server)
	p, err := oauth.NewConfigProvider(server.ProviderConfig("example"))
	if err != nil {
		b.Fatal(err)
	}
	m := oauth.TokenManager{Store: new(store.Memory)}
	source, err := m.Add(oauth.Account{Provider: p})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Login(b.Context(), "example", server.Login()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := source.Token(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
	if err := m.Shutdown(b.Context()); err != nil {
		b.Error(err)
	}
}
