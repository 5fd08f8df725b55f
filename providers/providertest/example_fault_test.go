package providertest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Each fault is injected into an upstream, and the client's side judged. The code under test is a relay that copies what
// comes, as most do: the faults that it hands on as they are would be taken for an answer.
func ExampleStreamFaults() {
	for _, fault := range providertest.StreamFaults(adapters.AnthropicMessages, providertest.MidStream)[:5] {
		var up providertest.Upstream
		fault.Inject(&up)
		client := up.Client()
		relay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			body := strings.NewReader(`{"model":"m","stream":true}`)
			res, err := client.Post("http://upstream/v1/messages", "application/json", body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer res.Body.Close()
			_, _ = io.Copy(w, res.Body)
		})
		rec := httptest.NewRecorder()
		relay.ServeHTTP(rec, httptest.NewRequest("POST", "/", nil))
		err := fault.Check(adapters.AnthropicMessages, rec.Code, rec.Body.String(), nil)
		fmt.Println(fault.Name+":", err != nil)
		up.Close()
	}
	// Output:
	// refused: true
	// reset: true
	// cut in a chunk: true
	// cut in an event: true
	// end too early: true
}

// A ledger is a hook of a test's own plugin; what does not balance is an error.
func ExampleLedger() {
	var ledger providertest.Ledger
	for _, e := range []hooks.Event{hooks.EventRequestStarted, hooks.EventProviderStreamStart, hooks.EventRequestCompleted} {
		if err := ledger.Handle(context.Background(), &hooks.Context{RequestID: "1", Event: e}); err != nil {
			panic(err)
		}
	}
	fmt.Println(ledger.Check())
	// Output:
	// request 1: events do not balance: [request.started provider.stream.start request.completed]
}

// A secret is found however it is written.
func ExampleFindSecret() {
	secret := providertest.Canary("apikey")
	log := fmt.Sprintf("msg=refused key=%x", secret)
	found := providertest.FindSecret(log, secret)
	fmt.Println(strings.HasPrefix(found, "hex: "), providertest.FindSecret("msg=refused", secret) == "")
	// Output:
	// true true
}

// A stream is cut in the middle of a character, as a network may cut it.
func ExampleSplitAt() {
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.SplitAt(providertest.Stream(providertest.Bytes("data: é\n\n")), 7))
	res, err := up.Client().Post("http://upstream/v1/messages", "application/json", strings.NewReader("{}"))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	first := make([]byte, 100)
	n, err := res.Body.Read(first)
	fmt.Printf("%q %v\n", first[:n], err)
	// Output:
	// "data: \xc3" <nil>
}

// What a handler that streams may find around it.
func ExampleHosts() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "data: {}\n\n")
	})
	for _, host := range providertest.Hosts() {
		rec := httptest.NewRecorder()
		host.Wrap(handler).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		fmt.Printf("%s %q\n", host.Name, rec.Body)
	}
	// Output:
	// bare "data: {}\n\n"
	// unwrap "data: {}\n\n"
	// flusher "data: {}\n\n"
	// piecemeal "data: {}\n\n"
	// plain "data: {}\n\n"
	// timeout "data: {}\n\n"
}
