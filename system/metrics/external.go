package metrics

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// registerEvery is how often it is tried to register what another proxy still has registered.
const registerEvery = 500 * time.Millisecond

// external is the application's registerer and what it is given. The zero value is none.
type external struct {
	to       prometheus.Registerer
	registry *prometheus.Registry

	mu         sync.Mutex
	registered bool
	ended      bool
}

// register gives the registerer the metrics. waits tells that it has the same ones still: a proxy that takes the place
// of another starts before that one ends.
func (e *external) register() (waits bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || e.registered {
		return false, nil
	}
	err = e.to.Register(e.registry)
	if _, has := errors.AsType[prometheus.AlreadyRegisteredError](err); has {
		return true, nil
	}
	e.registered = err == nil
	return false, err
}

// wait tries again until the metrics are registered, or ctx ends.
func (e *external) wait(ctx context.Context) {
	tick := time.NewTicker(registerEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if waits, _ := e.register(); !waits { // what else can be wrong was found out at the start
				return
			}
		}
	}
}

// unregister takes the metrics back; they are not registered any more.
func (e *external) unregister() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	if e.registered {
		e.to.Unregister(e.registry)
	}
}
