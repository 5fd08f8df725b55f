// Package adapters holds the contracts for converting between the wire formats of language model APIs.
//
// A [Format] names what a client or an upstream speaks. A [FormatAdapter] converts values of one
// [FormatPair] at four stages: request, response, error and stream. A [Registry] keeps one adapter in charge
// of each pair, and a [Chain] composes several pairs into one adapter.
//
// An adapter is written as functions: untyped ones in [Funcs], or typed ones that a [Shim] erases.
//
//	shim := adapters.NewShim("messages_to_chat",
//		adapters.Request(func(ctx context.Context, in *MessagesRequest) (*ChatRequest, error) {
//			return &ChatRequest{Model: in.Model}, nil
//		}))
//
//	var reg adapters.Registry
//	unregister, err := reg.Register(adapters.Registration{
//		Pair:    adapters.FormatPair{From: adapters.AnthropicMessages, To: adapters.OpenAIChatCompletions},
//		Adapter: shim,
//	})
//
// The package also knows the error shapes of the three common formats ([EncodeError], [EncodeStreamError])
// and which stream events end a stream ([Terminal]).
package adapters
