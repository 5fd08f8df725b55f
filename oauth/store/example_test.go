package store_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// A login is shared with the vendor's command: each sees what the other writes.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, _ := store.ClaudePath(dir) // "" for the user's own
	file := &store.File{Path: path, ID: "claude-api", Shape: store.Claude{}}

	written := `{"claudeAiOauth":{"accessToken":"secret","subscriptionType":"max"}}`
	if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	creds, err := file.Load(context.Background(), "claude-api")
	fmt.Println(creds.AccessToken, string(creds.Extra["subscriptionType"]), err)
	// Output: [REDACTED] "max" <nil>
}

// Keys come from wherever the application keeps secrets. The first seals; the others open what is older.
func ExampleSealed() {
	keys, err := store.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		fmt.Println(err)
		return
	}
	inner := new(store.Memory) // or a Dir, or Redis
	sealed := &store.Sealed{Store: inner, Keys: store.Keys(keys)}
	ctx := context.Background()
	if err := sealed.Save(ctx, "claude-api", &oauth.Credentials{AccessToken: oauth.NewSecret("token")}); err != nil {
		fmt.Println(err)
		return
	}
	kept, _ := inner.Load(ctx, "claude-api")
	opened, _ := sealed.Load(ctx, "claude-api")
	fmt.Println(kept.AccessToken.Reveal()[:14], opened.AccessToken.Reveal())
	// Output: ccproxy-sealed token
}
