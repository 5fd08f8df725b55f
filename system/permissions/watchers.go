package permissions

// eventBuffer is how many events a watcher may be behind before it is let go.
const eventBuffer = 256

// watchers are those who are told what happens to requests. The desk's mutex guards them.
type watchers struct {
	max    int
	open   map[*watcher]struct{}
	closed bool
}

// watcher is somebody who watches.
type watcher struct {
	events chan Request // each request as it comes and as it ends; closed when there will be no more
	slow   bool         // why it was closed; written before
}

func (ws *watchers) add() (*watcher, error) {
	switch {
	case ws.closed:
		return nil, ErrStopped
	case len(ws.open) >= ws.max:
		return nil, ErrTooMany
	case ws.open == nil:
		ws.open = make(map[*watcher]struct{})
	}
	w := &watcher{events: make(chan Request, eventBuffer)}
	ws.open[w] = struct{}{}
	return w, nil
}

func (ws *watchers) end(w *watcher) {
	if _, ok := ws.open[w]; ok {
		delete(ws.open, w)
		close(w.events)
	}
}

// publish tells everybody, and lets those go who have no room for it.
func (ws *watchers) publish(r Request) {
	for w := range ws.open {
		select {
		case w.events <- r:
		default:
			w.slow = true
			ws.end(w)
		}
	}
}

func (ws *watchers) close() {
	ws.closed = true
	for w := range ws.open {
		ws.end(w)
	}
}
