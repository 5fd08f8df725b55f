package providertest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// The code under test calls any URL; the upstream refuses the first call and answers the second.
func ExampleUpstream() {
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Error(529, "overloaded_error", "Overloaded", nil))

	client := up.Client()
	for range 2 {
		body := `{"model":"claude-fake-1","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`
		req, err := http.NewRequest("POST", "https://api.example.com/v1/messages", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header.Set("X-Api-Key", "test")
		req.Header.Set("Anthropic-Version", "2023-06-01")
		res, err := client.Do(req)
		if err != nil {
			panic(err)
		}
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			panic(err)
		}
		res.Body.Close()
		fmt.Println(res.StatusCode, strings.Contains(string(answer), providertest.DefaultText))
	}
	last, _ := up.Last()
	fmt.Println(len(up.Requests()), last.Host, last.Path)
	// Output:
	// 529 false
	// 200 true
	// 2 api.example.com /v1/messages
}
