package pricing

import "sync"

// maxMemo is how many names are remembered. Clients name what they like: when there are more, all are forgotten.
const maxMemo = 1024

// memo remembers what was found out about names. Requests name the same few models again and again, and taking a name
// apart is dear. The zero value is ready, and safe for concurrent use.
type memo[V any] struct {
	mu    sync.RWMutex
	known map[string]V
}

func (m *memo[V]) recall(name string) (v V, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok = m.known[name]
	return v, ok
}

func (m *memo[V]) remember(name string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMemo {
		m.known = make(map[string]V)
	}
	m.known[name] = v
}

func (m *memo[V]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = nil
}
