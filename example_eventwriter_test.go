package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// countdown is a route that streams.
type countdown struct{ streams ccproxy.StreamingHandler }

func (c countdown) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events, err := c.streams.Open(w, r)
	if err != nil { // nothing was sent
		http.Error(w, "cannot stream", http.StatusInternalServerError)
		return
	}
	if err := count(events); err != nil {
		return // the client is gone
	}
}

// count sends events as they come; each is on its way when Send returns.
func count(events *ccproxy.EventWriter) error {
	if err := events.Comment("it begins"); err != nil {
		return err
	}
	for n := 2; n > 0; n-- {
		if err := events.Send(adapters.Event{Type: "tick", Data: fmt.Appendf(nil, `{"left":%d}`, n)}); err != nil {
			return err
		}
	}
	return events.Send(adapters.Event{Data: []byte("[DONE]")})
}

// A plugin's route streams events with the proxy's own limits: a client that takes nothing is given up.
func ExampleStreamingHandler() {
	var reg ccproxy.Registry
	_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{Name: "countdown", Routes: []ccproxy.RouteSpec{{
		Prefix: "/countdown", Endpoints: []ccproxy.Endpoint{{}},
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			return countdown{pc.Streams}, nil
		},
	}}}, nil))
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/countdown", nil))
	fmt.Println(w.Header().Get("Content-Type"))
	fmt.Print(w.Body)
	// Output:
	// text/event-stream; charset=utf-8
	// : it begins
	//
	// event: tick
	// data: {"left":2}
	//
	// event: tick
	// data: {"left":1}
	//
	// data: [DONE]
}
