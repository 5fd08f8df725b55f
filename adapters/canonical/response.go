package canonical

// Response is a model's whole answer.
type Response struct {
	// Source is the name of the dialect that it was decoded from, as adapters.Format names it.
	Source    string
	ID, Model Token
	Created   int64 // Unix seconds; 0 if unknown
	// Choices are the answers; all but Chat have one.
	Choices     []Choice
	Usage       *Usage
	ServiceTier Token
	// Echo are members that only repeat the request (Responses). A dialect that does not repeat it loses nothing.
	Echo  []Field
	Extra []Field
}

// Choice is one answer.
type Choice struct {
	Parts    []Part
	Stop     Stop
	Logprobs Raw
	Extra    []Field
}

// StopReason says why a model stopped.
type StopReason uint8

// The reasons.
const (
	StopUnknown   StopReason = iota // not said, or not known here; Wire holds it
	StopEnd                         // the turn is over
	StopMaxTokens                   // the limit of the request
	StopSequence                    // one of the request's stop sequences
	StopToolUse                     // tools are to be called
	StopRefusal                     // the model or a filter refused
	StopPause                       // a server tool's turn goes on in another request
	StopContext                     // the model's context is full
	StopFailed                      // the answer failed; Error says how
)

// Stop is why and where a model stopped.
type Stop struct {
	Reason   StopReason
	Sequence Token  // of StopSequence
	Wire     string // the source's own word
	// Incomplete tells that the answer is not whole although the reason is not known.
	Incomplete bool
	Error      *Error // of StopFailed
}

// Usage counts tokens. Input includes what was read from and written to caches, as OpenAI counts; codecs of
// dialects that count otherwise convert.
type Usage struct {
	Input, Output, CacheRead, CacheWrite, Reasoning int64
	// Known tells which of Input, Output and Reasoning were said at all.
	HasInput, HasOutput, HasReasoning bool
	Extra                             []Field
}

// Error is a failure that a provider reported.
type Error struct {
	Status int // HTTP status; 0 if it came in a stream
	// Type is Anthropic's name of the error: invalid_request_error, authentication_error, permission_error,
	// not_found_error, request_too_large, rate_limit_error, timeout_error, api_error, overloaded_error, billing_error.
	Type      string
	Message   Token
	Code      Token // OpenAI's code, kept through other dialects where they can hold it
	Param     Token
	RequestID Token
}

// EventKind says what an event of a stream is.
type EventKind uint8

// The kinds of events. A stream is a Start, blocks that do not overlap unless Index differs, and a Stop, or an Error.
const (
	EventStart      EventKind = iota // ID, Model, Created, Usage if known
	EventBlockStart                  // Index, Part: its kind and what is known of it at the start
	EventDelta                       // Index, Part.Kind, and in Delta a fragment of its text or arguments
	EventBlockStop                   // Index; Part holds what the end tells: signature, encrypted content, arguments
	EventUsage                       // Usage so far
	EventStop                        // Stop, Usage: the answer is complete
	EventError                       // Error: the answer has failed
	EventPing                        // Part, if there is one, is an opaque event, unknown to its own dialect
)

// Event is one step of an answer that is streamed. Its memory is valid until the next event is asked for.
type Event struct {
	Kind EventKind
	// Source is the name of the dialect of the stream; EventStart says it.
	Source string
	Index  int // of the block, in the order of block starts, from 0; of Choice
	// Choice is the answer that a block belongs to (Chat's n > 1).
	Choice int
	Part   *Part
	// Delta is a fragment of text, thinking, refusal or of arguments as text.
	Delta     Token
	Signature Token // a fragment of a signature, with an empty Delta
	// Break tells that Delta stands between two parts of a summary, for dialects that have one text (Responses).
	Break    bool
	Citation Raw // one citation or annotation of a text block

	ID, Model Token
	Created   int64
	Usage     *Usage
	Stop      Stop
	More      []Stop // of the choices after the first, which end with it (Chat's n > 1)
	Error     *Error
	Extra     []Field
}
