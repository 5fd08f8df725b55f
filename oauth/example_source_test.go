package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// authorized sends requests with the token of an account, and once more with another one where the upstream
// refuses it. Bodies can be sent again where there is a GetBody, as http.NewRequest sets it.
type authorized struct {
	source oauth.Source
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	retry := req.Body == nil || req.GetBody != nil
	if req.Body != nil {
		defer req.Body.Close()
	}
	for ; ; retry = false {
		cred, err := a.source.Token(req.Context())
		if err != nil {
			return nil, err
		}
		resp, err := a.send(req, cred)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || !a.source.Invalidate(cred) || !retry {
			return resp, err
		}
		_ = resp.Body.Close()
	}
}

func (a authorized) send(req *http.Request, cred oauth.Credential) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", cred.Authorization().Reveal())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		req.Body = body
	}
	return a.next.RoundTrip(req)
}

// inMemory is an upstream without a network.
type inMemory struct{ http.Handler }

func (h inMemory) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result(), nil
}

// A program calls an API of its own with the login that the proxy has, which may end at any time.
func ExampleSource() {
	ctx := context.Background()
	server := new(oauthtest.Server) // in place of a real one
	manager := oauth.TokenManager{Store: new(store.Memory)}
	source, err := manager.Add(oauth.Account{Provider: exampleProvider(server)})
	if err != nil {
		log.Fatal(err)
	}
	if err := manager.Login(ctx, "acme", server.Login()); err != nil {
		log.Fatal(err)
	}
	tired := ""
	api := inMemory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tired == "" || r.Header.Get("Authorization") == tired {
			tired = r.Header.Get("Authorization")
			fmt.Println("the upstream refuses the token")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "welcome")
	})}
	client := http.Client{Transport: authorized{source, api}}
	resp, err := client.Get("https://api.acme.example/me")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, string(body), err, manager.Shutdown(ctx))
	// Output:
	// the upstream refuses the token
	// 200 welcome <nil> <nil>
}

// Secrets can stand in structs that are logged, and in errors. Only Reveal gives them.
func ExampleSecret() {
	account := struct {
		Name string
		Key  oauth.Secret
	}{"ci", oauth.NewSecret("sk-1")}
	text, err := json.Marshal(account)
	fmt.Printf("%+v %s %v\n", account, text, err)
	fmt.Println(account.Key.Equal(oauth.NewSecret("sk-1")), account.Key.Reveal())
	// Output:
	// {Name:ci Key:[REDACTED]} {"Name":"ci","Key":"[REDACTED]"} <nil>
	// true sk-1
}
