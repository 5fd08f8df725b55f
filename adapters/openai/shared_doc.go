// Package openai has the codecs of OpenAI's two dialects: [Chat] for Chat Completions, as compatible servers speak
// it too, and Responses.
//
// # Thinking in Chat Completions
//
// The dialect has no thinking of its own. What compatible servers agree on is used both ways: the text is in the
// assistant message's "reasoning_content" ("reasoning" is read, too), and what only its vendor can read is in
// "reasoning_details", a list of {"type":"reasoning.text","text","signature","format","index"},
// {"type":"reasoning.summary","summary",…} and {"type":"reasoning.encrypted","data",…}. A client that sends the list
// back with the message keeps a model's thinking alive across turns. The format says whose data it is:
// "anthropic-claude-v1" or "openai-responses-v1".
//
// # What Chat Completions cannot say in words of its own
//
// A tool's failure is told by [ToolErrorMarker] at the start of its text. Images in a tool's result follow in a user
// message, after the results of all calls, each announced by [ToolImageMarker] and the id of the call. Free-form
// tools of other dialects become functions with one string.
package openai
