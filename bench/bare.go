package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// newBare is the least that a proxy can be: it looks at nothing and changes nothing but the address.
func newBare(upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, DisableCompression: true,
			ReadBufferSize: 16 << 10, WriteBufferSize: 16 << 10,
		},
		BufferPool: new(bufferPool),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Without it the server may close a request's body under the transport that still sends it.
		_ = http.NewResponseController(w).EnableFullDuplex() // every HTTP/1 server of net/http can
		proxy.ServeHTTP(w, r)
	})
}

// bufferPool is the pool of copy buffers that ReverseProxy asks for.
type bufferPool struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
