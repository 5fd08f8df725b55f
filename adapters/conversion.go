package adapters

import (
	"cmp"
	"context"
	"net/http"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/errorcode"
)

// Conversion is an optional upgrade of a [FormatAdapter], as adapters made of codecs have it: it tells what was
// lost, and brings an answer into the form that belongs to the request. As with the adapter, the request is converted
// by that of one direction, and the answer by that of the other.
type Conversion interface {
	// ConvertRequestLossy converts a request. req is what it means, for the conversion of the answer; it refers to
	// the memory of body, which must not change until then.
	ConvertRequestLossy(ctx context.Context, body []byte) (
		out []byte, req *canonical.Request, lost []canonical.Loss, err error,
	)
	// ConvertResponseFor converts a whole answer to the request; req may be nil.
	ConvertResponseFor(ctx context.Context, body []byte, req *canonical.Request) (
		out []byte, lost []canonical.Loss, err error,
	)
	// ConvertErrorFor converts the error that came with a status, whatever the body is: one that is no error of the
	// upstream's format becomes a general one. It returns what the error means, too.
	ConvertErrorFor(status int, body []byte) (out []byte, e canonical.Error)
	// EncodeErrorFor gives the body of an error in the client's format, such as that of a [*StreamError].
	EncodeErrorFor(e *canonical.Error) []byte
	// ConvertStreamFor converts the stream that answers the request; req and lost may be nil. Where in comes to its
	// end, so does the result, with exactly one terminal event, which is an error event if the answer is not whole.
	// Only what fails before anything of the answer was there is an error of the sequence: then the client can be
	// answered with a status. An error that the upstream tells is a [*StreamError]; one of in is passed on as it is.
	// lost is complete when the sequence has ended.
	ConvertStreamFor(ctx context.Context, in Stream, req *canonical.Request, lost *canonical.Losses) Stream
}

// StreamError is a failure of a stream. An upstream's own error event becomes one if it comes before anything else;
// and a producer of a [Stream] that ends it with a StreamError says what the client is told.
type StreamError struct {
	Failure canonical.Error
	Err     error // the cause, which the client is not told; may be nil
}

// Error gives the message, and the cause if there is one.
func (e *StreamError) Error() string {
	s := e.Failure.Message.String()
	if s == "" {
		s = "the stream failed"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives Err.
func (e *StreamError) Unwrap() error { return e.Err }

// Info is the failure for [EncodeStreamError] and [StreamEncoder]. Its status is that of the failure's type where
// the upstream gave none; the type follows from the status in every format.
func (e *StreamError) Info() ErrorInfo {
	f := e.Failure
	info := ErrorInfo{
		Status: cmp.Or(f.Status, errorcode.Named(f.Type), http.StatusBadGateway), Message: f.Message.String(),
		Code: f.Code.String(), Param: f.Param.String(), RequestID: f.RequestID.String(),
	}
	if info.Message == "" {
		info.Message = "the provider's stream failed"
	}
	return info
}

// failureOf is an error event's error, which a decoder may have left out.
func failureOf(e *canonical.Error) canonical.Error {
	if e == nil {
		return canonical.Error{}
	}
	return *e
}
