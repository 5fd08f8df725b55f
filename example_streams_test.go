package ccproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A model that thinks for long says nothing meanwhile, and networks close what is silent. A client's stream is begun
// and kept open all the same.
func ExampleStreams() {
	var up providertest.Upstream
	defer up.Close()
	thought := make(chan struct{})
	parts := append([]providertest.Part{providertest.Gate(thought)}, providertest.TextEvents("m", "So be it.")...)
	up.Enqueue(providertest.Stream(parts...))
	var reg ccproxy.Registry
	_ = reg.Register(upstreamAt("slow", "https://slow.example"))
	proxy, err := reg.Build(ccproxy.Settings{Streams: ccproxy.Streams{
		CommitAfter: 10 * time.Millisecond, // some seconds in a program
		KeepAlive:   10 * time.Millisecond,
	}}, ccproxy.WithTransport(up.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	client := &http.Client{Transport: proxy.Transport()}
	body := strings.NewReader(`{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Well?"}]}`)
	resp, err := client.Post("http://proxy/slow/v1/messages", "application/json", body)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	waited := true
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		switch name, _ := strings.CutPrefix(lines.Text(), "event: "); {
		case name == "ping" && waited:
			fmt.Println("a keep-alive, while the model thinks")
			waited = false
			close(thought)
		case name == "message_start", name == "message_stop":
			fmt.Println(name)
		}
	}
	// Output:
	// 200 OK
	// a keep-alive, while the model thinks
	// message_start
	// message_stop
}
