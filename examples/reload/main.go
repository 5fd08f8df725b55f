// Command reload swaps its proxy for another one while requests run:
//
//	curl -X POST '127.0.0.1:8080/reload?prefix=now:'
//
// Requests that come after the swap are answered by the new proxy, those that run end in the old one, and none is lost.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func main() {
	s, err := newService(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	server := ccproxy.NewServer(s.routes())
	server.Addr = "127.0.0.1:8080"
	log.Fatal(server.ListenAndServe(), s.handle.Swap(context.Background(), nil))
}

// service is an application that has a proxy, and what it makes new ones of.
type service struct {
	registry ccproxy.Registry
	handle   ccproxy.Handle
}

func newService(ctx context.Context) (*service, error) {
	s := new(service)
	if err := s.registry.Register(echo.Factory()); err != nil {
		return nil, err
	}
	err := s.reload(ctx, "")
	return s, err
}

// reload puts a proxy of another configuration in place. After an error the old one goes on.
func (s *service) reload(ctx context.Context, prefix string) error {
	next, err := s.registry.Build(ccproxy.Settings{
		Plugins: map[string]map[string]any{echo.Name: {"prefix": prefix}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // for requests that run in the old proxy
	defer cancel()
	return s.handle.Swap(ctx, next)
}

func (s *service) routes() http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/llm/", s.handle.Mount("/llm"))
	routes.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		// Who asked may go away; the swap is not to stop half-way for that.
		if err := s.reload(context.WithoutCancel(r.Context()), r.URL.Query().Get("prefix")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, "reloaded")
	})
	return http.NewCrossOriginProtection().Handler(routes) // reloads are not for web pages to ask for
}
