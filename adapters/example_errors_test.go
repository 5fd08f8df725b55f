package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// Errors name the adapter and the stage, and the pair where there is no adapter.
func ExampleStageError() {
	ctx := context.Background()
	_, err := askToChat().ConvertRequest(ctx, object(`{"model":"m"}`))
	place, ok := errors.AsType[*adapters.StageError](err)
	if !ok {
		log.Fatal(err)
	}
	fmt.Println(place.Adapter, place.Stage == adapters.KindRequest, errors.Is(err, adapters.ErrInvalidInput))

	// An application that lists which stages its adapters lack:
	for _, stage := range []adapters.StageKind{adapters.KindRequest, adapters.KindResponse, adapters.KindStream} {
		fmt.Println(stage, askToChat().Unwrap(stage) != nil)
	}
	reg := dialects()
	_, err = reg.Lookup(adapters.FormatPair{From: "acme.ask", To: adapters.OpenAIChatCompletions})
	if missing, ok := errors.AsType[*adapters.PairError](err); ok {
		fmt.Println(missing.Pair, "is none of", len(missing.Available))
	}
	// Output:
	// ask_to_chat true true
	// request true
	// response false
	// stream false
	// acme.ask->openai.chat_completions is none of 6
}
