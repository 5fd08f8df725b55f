package canonical

// Kinds of envelopes that carry one vendor's opaque values through the dialect of another. A codec seals what it
// cannot tell otherwise, and every decoder that finds one of them puts the fields back where they belong, so that
// Signature is always Anthropic's own and Encrypted always OpenAI's.
const (
	// CarriedThinking has one field: the Signature of a PartThinking.
	CarriedThinking = "anthropic.thinking"
	// CarriedRedacted has one field: the data (Signature) of a PartRedacted.
	CarriedRedacted = "anthropic.redacted"
	// CarriedReasoning has two fields: the ID of a reasoning item, which may be nil, and its Encrypted.
	CarriedReasoning = "openai.reasoning"
	// CarriedDetail has one field: an entry of reasoning_details, without its words, that an upstream of Chat
	// Completions has made and wants back. Decoders leave it sealed, as the Signature of a PartThinking or
	// PartRedacted: what is in it is for no other vendor.
	CarriedDetail = "chat.detail"
)

// CustomInput is the one property of the schema that stands for the text of a free-form tool in dialects whose
// tools take JSON: {"input":"the text"}.
const CustomInput = "input"
