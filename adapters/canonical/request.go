package canonical

// Request is a conversation and what is wanted next.
type Request struct {
	// Source is the name of the dialect that it was decoded from, as adapters.Format names it.
	Source string
	Model  string
	Stream bool

	Messages []Message
	Tools    []Tool
	// Choice says which tool is to be called; nil where the client said nothing.
	Choice *ToolChoice
	// ParallelTools allows several calls in one turn; nil where the client said nothing.
	ParallelTools *bool

	// Numbers as they stood; nil where there was none.
	MaxTokens, Temperature, TopP, TopK, Seed, N    Raw
	PresencePenalty, FrequencyPenalty, TopLogprobs Raw
	Logprobs                                       Raw // true or false
	// MaxTokensName is the member that MaxTokens came in, where that is not the usual one of its dialect.
	MaxTokensName                                  string
	Stop                                           []Token
	User                                           Token // whom the request is for: user, metadata.user_id
	Metadata                                       Raw   // OpenAI's map
	ServiceTier                                    Token
	Thinking                                       *Thinking
	Format                                         *Format
	IncludeUsage                                   bool // a stream is to end with usage (Chat)
	Store                                          Raw
	PreviousResponseID, PromptCacheKey, Truncation Token
	Verbosity                                      Token
	Include                                        Raw // of Responses

	// Extra are the remaining members of the body.
	Extra []Field
}

// Role says whose words a message holds.
type Role uint8

// The roles.
const (
	RoleUser Role = iota
	RoleAssistant
	RoleSystem
	RoleDeveloper
	RoleTool // results only
)

// Message is one turn, or a part of one.
type Message struct {
	Role Role
	// Top tells that a system message stood apart from the conversation: Anthropic's system, OpenAI's instructions.
	Top bool
	// ID and Name are as in OpenAI's dialects; Status and Phase are of Responses.
	ID, Name, Status Token
	Parts            []Part
	// Plain tells that the content was a string and not a list.
	Plain bool
	Extra []Field
	Path  string
}

// PartKind says what a part is.
type PartKind uint8

// The kinds of parts.
const (
	PartText PartKind = iota
	PartImage
	PartDocument
	PartAudio
	PartThinking // a model's thinking, or the summary of its reasoning
	PartRedacted // thinking that only its vendor can read
	PartToolCall
	PartToolResult
	PartRefusal
	PartOpaque // anything else, kept as Raw: server tools and their results, search results, unknown kinds
)

// Part is one piece of a message.
type Part struct {
	Kind PartKind
	// Text of PartText, PartThinking and PartRefusal.
	Text Token
	// Summary are the parts of a summary of reasoning, where there are several; Text is then nil.
	Summary []Token
	// Signature of PartThinking, or the data of PartRedacted (Anthropic).
	Signature Token
	// Encrypted is the encrypted_content of a reasoning item (Responses).
	Encrypted Token
	// ID of an item (Responses).
	ID, Status Token
	// Verbatim tells that Text of a PartThinking is the reasoning itself and no summary of it (Responses).
	Verbatim bool
	// Item tells that a PartOpaque stood beside messages and not in one (Responses).
	Item bool

	Media  *Media
	Call   *ToolCall
	Result *ToolResult

	CacheControl Raw // Anthropic
	Citations    Raw // Anthropic's citations or OpenAI's annotations
	Logprobs     Raw

	// Type is the wire type of a PartOpaque, and Raw the whole of it.
	Type  string
	Raw   Raw
	Extra []Field
	Path  string
}

// Media is an image, document or sound.
type Media struct {
	MIME     Token // media type, where it is told apart from the data
	Data     Token // base64
	URL      Token // an address, or a data: URI where it was not taken apart
	FileID   Token
	Text     Token // a document of plain text
	Filename Token // or title
	Detail   Token // of OpenAI's images
	Extra    []Field
}

// ToolCall is a model's wish to have a tool called.
type ToolCall struct {
	ID   Token
	Name Token
	Args Args
	// Custom tells a free-form tool, whose Args hold text and not JSON.
	Custom bool
	// Namespace and Caller are kept for the dialect that knows them.
	Extra []Field
}

// Args are a call's arguments: a JSON object (Anthropic) or a string that should hold one (OpenAI).
type Args struct {
	Object Raw
	String Token
}

// ToolResult is what a tool answered.
type ToolResult struct {
	CallID  Token
	Parts   []Part
	Plain   bool // the content was a string
	IsError bool
	HasErr  bool // is_error was said, true or false
	Custom  bool
	Extra   []Field
}

// Tool is a tool that may be called.
type Tool struct {
	Name, Description Token
	// Schema is the JSON schema of the arguments; nil where there is none.
	Schema Raw
	Strict Raw
	// Custom tells a free-form tool; Grammar is its format as Responses has it: syntax and definition beside the type.
	Custom  bool
	Grammar Raw
	// Type is the wire type of a server or built-in tool, which has Raw and nothing else.
	Type         string
	Raw          Raw
	CacheControl Raw
	Extra        []Field
	Path         string
}

// ToolChoice says which tool is to be called.
type ToolChoice struct {
	// Mode is "auto", "none", "any" (OpenAI: required) or "tool".
	Mode string
	Name Token // of mode tool
	Raw  Raw   // a choice of another shape, such as allowed tools
	Path string
}

// Thinking says how much a model is to think.
type Thinking struct {
	// Mode is "enabled", "adaptive", "disabled", or "" where only an effort was given.
	Mode string
	// Budget is the most tokens of thinking (Anthropic); nil where there is none.
	Budget Raw
	// Effort is OpenAI's reasoning effort or Anthropic's output_config.effort.
	Effort Token
	// Summary asks for a summary of the reasoning (Responses), Display is Anthropic's.
	Summary, Display Token
	Extra            []Field
}

// Format says which shape an answer must have.
type Format struct {
	// Type is "text", "json_object" or "json_schema".
	Type              string
	Name, Description Token
	Schema            Raw
	Strict            Raw
	Extra             []Field
}
