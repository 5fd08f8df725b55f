package codex

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

const (
	defaultFrame    = 32 << 20         // the largest frame of a client, where the settings do not say
	defaultPatience = 30 * time.Second // how long a client may take for a frame, likewise
	maxIdle         = time.Hour        // how long a client may ask nothing
	maxReason       = 120              // of a close frame, in bytes
)

// socket serves the Responses API over WebSockets. Each turn of a client goes through the proxy as a request of its
// own, so that all that stands around requests stands around turns: models, limits of callers, hooks.
type socket struct {
	pc     *ccproxy.PluginContext
	stored bool // the upstream knows responses that this connection does not
}

func newSocket(pc *ccproxy.PluginContext) (http.Handler, error) {
	c, err := ccproxy.ConfigOf[Config](pc)
	if err != nil {
		return nil, err
	}
	return &socket{pc: pc, stored: c.backend() == backendOpenAI}, nil
}

// ServeHTTP takes a handshake; whoever came this far may ask. All else is answered 426, at which clients fall back to
// plain HTTP at once.
func (s *socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !hijackable(w) {
		upgradeRequired(w)
		return
	}
	// The proxy has checked the origin, by the settings.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.pc.Logger.DebugContext(r.Context(), "handshake failed", "error", err)
		return // it has been answered
	}
	limits := s.pc.Settings.Limits
	frame, patience := limits.BodyBytes, limits.WriteTimeout
	if frame <= 0 {
		frame = defaultFrame
	}
	if patience <= 0 {
		patience = defaultPatience
	}
	conn.SetReadLimit(frame)
	c := &connection{
		socket: s, conn: conn, handshake: r, transport: s.pc.Transport(), patience: patience,
		history: history{limit: frame},
	}
	c.run(r.Context())
}

// hijackable tells whether the host's server lets a connection be taken over.
func hijackable(w http.ResponseWriter) bool {
	for {
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = inner.Unwrap()
	}
	_, ok := w.(http.Hijacker)
	return ok
}

func upgradeRequired(w http.ResponseWriter) {
	body := adapters.EncodeError(adapters.OpenAIResponses, adapters.ErrorInfo{
		Status: http.StatusUpgradeRequired, Code: "websocket_required",
		Message: "Upgrade: GET is for WebSocket handshakes; use POST over plain HTTP",
	})
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUpgradeRequired)
	_, _ = w.Write(body) // a client that is gone needs no error
}

// connection is one client's.
type connection struct {
	*socket
	conn      *websocket.Conn
	handshake *http.Request
	transport http.RoundTripper
	patience  time.Duration
	history   history
}

// closing is why a connection ends at the proxy's will.
type closing struct {
	code   websocket.StatusCode
	reason string
}

// Error returns the reason.
func (c *closing) Error() string { return c.reason }

// run answers turn after turn until either side has enough.
func (c *connection) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	frames := make(chan frame)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel() // a client that is gone ends the turn that runs
		c.read(ctx, frames)
	}()
	err := c.serve(ctx, frames)
	if end, ok := errors.AsType[*closing](err); ok {
		_ = c.conn.Close(end.code, end.reason[:min(len(end.reason), maxReason)]) // a client that is gone needs none
	}
	cancel()
	_ = c.conn.CloseNow() // it may be closed already
	<-done
}

// frame is what a client sent.
type frame struct {
	text bool
	data []byte
}

// read hands on what the client sends, one after the other.
func (c *connection) read(ctx context.Context, frames chan<- frame) {
	for {
		kind, data, err := c.conn.Read(ctx)
		if err != nil {
			return
		}
		select {
		case frames <- frame{text: kind == websocket.MessageText, data: data}:
		case <-ctx.Done():
			return
		}
	}
}

func (c *connection) serve(ctx context.Context, frames <-chan frame) error {
	idle := time.NewTimer(maxIdle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return &closing{websocket.StatusGoingAway, "the server is shutting down"}
		case <-c.pc.Draining():
			return &closing{websocket.StatusServiceRestart, "the server is shutting down"}
		case <-idle.C:
			return &closing{websocket.StatusGoingAway, "nothing was asked for a long time"}
		case f := <-frames:
			if !f.text {
				return &closing{websocket.StatusUnsupportedData, "frames must be text"}
			}
			if err := c.turn(ctx, f.data); err != nil {
				return err
			}
			idle.Reset(maxIdle)
		}
	}
}

// send writes one frame. The time for it is short: a client that takes nothing does not hold the upstream.
func (c *connection) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, data)
}
