package ccproxy

import (
	"context"
	"io"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
)

// Provider answers calls for models. It gets every client format, models, hooks and health of the proxy for it,
// and deals with nothing but its upstream. Its methods are called concurrently.
type Provider interface {
	// Models lists the models that the provider can be asked for. It may ask the upstream.
	Models(ctx context.Context) ([]Model, error)

	// Do performs one call. ctx ends when the client goes away, and with it the call must end, also while
	// the answer is being read. A failure of the upstream that has a status and a body is an Answer; anything
	// else is an error: an *[Error] says what the client gets, other errors become a 502. ErrUnsupported
	// tells that the provider does not offer the operation, ErrBegun that the call is not to be made again. The
	// Body of an Answer beside an error is closed unread.
	Do(ctx context.Context, call *Call) (*Answer, error)
}

// ModelDescriber is implemented by providers that know of models which Models does not list, such as aliases. An
// unknown model is a *[Error] with status 404.
type ModelDescriber interface {
	Model(ctx context.Context, id string) (Model, error)
}

// Operation is what a call asks for.
type Operation string

// The operations of calls. Together with a format they determine the upstream's path.
const (
	OpGenerate    Operation = "generate"     // an answer of a model, in one of the three dialects
	OpCountTokens Operation = "count_tokens" // input tokens, without an answer; estimated where it is ErrUnsupported
	OpEmbeddings  Operation = "embeddings"
	OpCompact     Operation = "compact" // a shorter conversation, in the dialect of OpenAI Responses alone
)

// Call is one request to a provider. The provider owns it for the time of Do; Body and Header must not be
// modified in place.
type Call struct {
	// ID is the request's id, as in logs and hooks.
	ID string
	// Provider is the name of the provider that is called.
	Provider string
	// Operation is what is asked for, in the format of Body.
	Operation Operation
	// Format of Body, one of the provider's.
	Format adapters.Format
	// ClientFormat is the format in which the client asked.
	ClientFormat adapters.Format
	// Endpoint is the client's path below the provider, such as "/v1/messages".
	Endpoint string
	// Model as the provider is to use it; ClientModel as the client wrote it.
	Model, ClientModel string
	// Stream tells whether the client wants a stream.
	Stream bool
	// Session identifies a conversation as far as the client tells; may be empty.
	Session string
	// Body is the request. With equal formats these are the client's own bytes. They are used again for other
	// requests when the answer has ended: a provider that keeps any of them longer keeps a copy.
	Body []byte
	// Header holds the client's headers without credentials, cookies and hop-by-hop headers. What of it goes
	// upstream is the provider's choice.
	Header http.Header
	// Query is the client's raw query string.
	Query string
	// Caller is who asks, as far as it is known.
	Caller Caller

	prepare func(context.Context, *hooks.PreparedRequest) error
	chosen  string             // the model before rules have mapped it
	mapped  string             // the model that a rule put in the place of ClientModel; may be empty
	buf     *lease.Buffer      // of Body, where the proxy has converted it
	request *canonical.Request // what the client's body means, where it was converted; refers to its memory
	lost    []canonical.Loss   // by that conversion, and by the provider
	strict  bool               // what is lost is an error

	exchange  *exchange // that the call is made for; nil for calls of nobody
	attempted bool      // the provider has said that it calls the upstream
	asked     bool      // likewise, and that has not failed since
}

// Prepare lets the hooks that are mutators change an upstream request just before it is sent. Only providers
// whose spec says SelfPrepared call it, once for each attempt, with method, URL and headers filled in and
// credentials left out. On success the provider sends req's header and its [hooks.PreparedRequest.Result]. An
// error means that a hook that fails closed refused the call; Do returns it as it is.
func (c *Call) Prepare(ctx context.Context, req *hooks.PreparedRequest) error {
	if c.prepare == nil {
		return nil
	}
	return c.prepare(ctx, req)
}

// Prepares reports whether [Call.Prepare] would do anything, so that a provider can save building a request for it.
func (c *Call) Prepares() bool { return c.prepare != nil }

// Answer is a provider's answer: a body or a stream.
type Answer struct {
	// Status is an HTTP status. Zero means 200.
	Status int
	// Header holds what the client is to see; hop-by-hop headers and cookies are dropped.
	Header http.Header
	// Format of the body or stream. Empty means that of the call.
	Format adapters.Format
	// Stream tells that Body is an event stream.
	Stream bool
	// Body is closed by the proxy. Reading it must end when the context of Do ends.
	Body io.ReadCloser
	// Events is a stream of events instead of a Body. It is pulled from one goroutine, at most once. A client that
	// asked for a whole answer gets one.
	Events adapters.Stream
	// Reshape is for upstreams that only stream, or never do: a Body in the client's own format is then brought into
	// the shape that the client asked for, as always happens where formats differ. Without it such a Body is relayed
	// byte for byte.
	Reshape bool
	// Again is for streams that may begin with an error of which somebody else is spared, such as another account of
	// the provider: it calls the upstream once more. It is called at most once, with the context of Do, when Body was
	// read up to the error and closed, and only if the client has been sent nothing. It returns nil where that is of
	// no use; then the client gets the error. Nil for most providers.
	Again func(ctx context.Context) (*Answer, error)

	estimated bool // it is the proxy's own
}
