package adapters

import "github.com/ccproxy-go/ccproxy/adapters/canonical"

// Codec is one dialect: it decodes what a client or an upstream says into the neutral model and encodes it again.
// Registering a codec makes adapters to and from every other one. Its methods may be called concurrently and keep
// nothing of what they get.
//
// Decoders are lenient about what they do not know, which they keep, and strict about what they need: their
// errors wrap [ErrInvalidInput] and name the member. Encoders put what their dialect cannot express into losses.
type Codec interface {
	// Format is the dialect.
	Format() Format
	// Requests converts requests.
	Requests() RequestCodec
	// Responses converts whole answers and errors.
	Responses() ResponseCodec
	// DecodeStream returns a decoder for one stream of an upstream.
	DecodeStream() StreamDecoder
	// EncodeStream returns an encoder for one stream to a client who sent the request.
	EncodeStream(req *canonical.Request) StreamEncoder
}

// RequestCodec converts the requests of a dialect.
type RequestCodec interface {
	// DecodeRequest reads a client's request.
	DecodeRequest(body []byte) (*canonical.Request, error)
	// EncodeRequest writes a request for an upstream.
	EncodeRequest(req *canonical.Request, lost *canonical.Losses) ([]byte, error)
}

// ResponseCodec converts the answers and errors of a dialect. req is the client's request, for dialects that repeat
// parts of it in answers; it may be nil.
type ResponseCodec interface {
	// DecodeResponse reads an upstream's answer.
	DecodeResponse(body []byte) (*canonical.Response, error)
	// EncodeResponse writes an answer for a client.
	EncodeResponse(resp *canonical.Response, req *canonical.Request, lost *canonical.Losses) ([]byte, error)
	// DecodeError reads an upstream's error, whatever its shape.
	DecodeError(body []byte) (*canonical.Error, error)
	// EncodeError writes an error for a client.
	EncodeError(e *canonical.Error) []byte
}

// StreamDecoder turns the events of an upstream into neutral ones. It is used by one goroutine.
type StreamDecoder interface {
	// Decode takes one event and yields what it means; yield returning an error ends it with that error.
	Decode(ev Event, yield func(canonical.Event) error) error
	// End is called when the upstream's stream has ended by itself. It is an error if the answer is not complete.
	End(yield func(canonical.Event) error) error
}

// StreamEncoder turns neutral events into those of a client's dialect. It is used by one goroutine. The data of the
// events that it yields is valid until yield returns.
type StreamEncoder interface {
	// Encode takes one neutral event and yields what it means, if anything.
	Encode(ev *canonical.Event, yield func(Event) error) error
	// Fail ends a stream that broke with the dialect's error event, once; after a terminal event it does nothing.
	Fail(e ErrorInfo, yield func(Event) error) error
	// Losses are what the dialect could not express so far.
	Losses() []canonical.Loss
}
