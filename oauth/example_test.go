package oauth_test

import (
	"fmt"

	"github.com/ccproxy-go/ccproxy/oauth"
)

func ExampleRegistry() {
	var reg oauth.Registry
	unregister, err := reg.Register(provider("claude-api"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, known := reg.Lookup("claude-api")
	_, err = reg.Register(provider("claude-api"))
	fmt.Println(known, err)
	unregister()
	fmt.Println(reg.Len())
	// Output:
	// true OAuth provider registered twice: "claude-api"
	// 0
}
