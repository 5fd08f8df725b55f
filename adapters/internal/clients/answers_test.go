package clients

const claudeAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-6","content":[
{"type":"thinking","thinking":"hm","signature":"EqQB/+="},{"type":"text","text":"I look."},
{"type":"tool_use","id":"toolu_1","name":"ls","input":{"p":1}},{"type":"tool_use","id":"toolu_2","name":"apply_patch","input":{"input":"*** \"x\""}}],
"stop_reason":"tool_use","stop_sequence":null,
"usage":{"input_tokens":5,"cache_creation_input_tokens":7,"cache_read_input_tokens":100,"output_tokens":9}}`

// stopped is an answer of Claude that ended for a reason.
func stopped(reason string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"No."}],"stop_reason":"` + reason +
		`","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`
}

func answerNeeds() []need {
	return []need{
		{name: "4.14_free_form_tools_unwrapped", way: "AR", kind: "answer", asks: codexCLI, body: claudeAnswer, want: map[string]string{
			"output.2.type": `"function_call"`, "output.2.call_id": `"toolu_1"`, "output.3.type": `"custom_tool_call"`, "output.3.input": `"*** \"x\""`,
		}},
		{name: "4.17_cached_tokens_of_claude", way: "AC", kind: "answer", body: claudeAnswer, want: map[string]string{
			"usage.prompt_tokens": `112`, "usage.prompt_tokens_details.cached_tokens": `100`, "usage.total_tokens": `121`,
		}},
		{name: "4.17_cached_tokens_of_claude_for_codex", way: "AR", kind: "answer", body: claudeAnswer, want: map[string]string{
			"usage.input_tokens": `112`, "usage.input_tokens_details.cached_tokens": `100`,
		}},
		{name: "4.17_cached_tokens_for_claude_code", way: "RA", kind: "answer", body: responsesAnswer("completed", "null"), want: map[string]string{
			"usage.input_tokens": `12`, "usage.cache_read_input_tokens": `100`, "usage.output_tokens": `9`,
		}},
		{
			name: "4.18_refusals_for_claude_code", way: "CA", kind: "answer", body: `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
			"message":{"role":"assistant","content":null,"refusal":"I will not."},"finish_reason":"stop"}]}`,
			want: map[string]string{"content": `[{"type":"text","text":"I will not."}]`, "stop_reason": `"refusal"`},
		},
		{name: "4.18_refusals_of_claude", way: "AR", kind: "answer", body: stopped("refusal"), want: map[string]string{
			"status": `"incomplete"`, "incomplete_details": `{"reason":"content_filter"}`,
		}, text: []string{"No."}},
		{name: "10.22_out_of_context", way: "AC", kind: "answer", body: stopped("model_context_window_exceeded"), want: map[string]string{
			"choices.0.finish_reason": `"length"`,
		}},
		{name: "10.22_paused", way: "AC", kind: "answer", body: stopped("pause_turn"), want: map[string]string{"choices.0.finish_reason": `"stop"`}},
		{name: "10.22_out_of_tokens", way: "AR", kind: "answer", body: stopped("max_tokens"), want: map[string]string{
			"status": `"incomplete"`, "incomplete_details": `{"reason":"max_output_tokens"}`,
		}},
		{
			name: "10.22_incomplete", way: "RA", kind: "answer", body: responsesAnswer("incomplete", `{"reason":"max_output_tokens"}`),
			want: map[string]string{"stop_reason": `"max_tokens"`},
		},
		{
			name: "10.22_filtered", way: "RC", kind: "answer", body: responsesAnswer("incomplete", `{"reason":"content_filter"}`),
			want: map[string]string{"choices.0.finish_reason": `"content_filter"`},
		},
	}
}

func responsesAnswer(status, details string) string {
	return `{"id":"resp_1","object":"response","created_at":1,"status":"` + status + `","incomplete_details":` + details + `,"model":"m","output":[
{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"One","annotations":[]}]}],
"usage":{"input_tokens":112,"input_tokens_details":{"cached_tokens":100},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":121}}`
}

// claudeStream thinks, says something, and calls two tools, of which the second has no arguments.
const claudeStream = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-6","content":[],"usage":{"input_tokens":5,` +
	`"cache_creation_input_tokens":7,"cache_read_input_tokens":100}}}
{"type":"ping"}
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm "}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"ok"}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB/+="}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"I look."}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"p\":"}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}
{"type":"content_block_stop","index":2}
{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"now","input":{}}}
{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}
{"type":"content_block_stop","index":3}
{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}
{"type":"message_stop"}`

// chatStream is one with two calls at once, and with what some servers send before and after.
const chatStream = `{"id":"c1","model":"m","choices":[],"prompt_filter_results":[]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"I look."},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"ls","arguments":""}},{"index":1,"id":"call_2",` +
	`"type":"function","function":{"name":"now","arguments":""}}]},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\""}}]},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":null}]}
{"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
{"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":112,"completion_tokens":9,"total_tokens":121,"prompt_tokens_details":{"cached_tokens":100},` +
	`"completion_tokens_details":{"reasoning_tokens":4}}}
[DONE]`

// reasoningStream is one of Responses with a summary in two parts, which says everything once more at the end.
const reasoningStream = `{"type":"response.created","response":{"id":"resp_1","status":"in_progress","model":"m","output":[]}}
{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}
{"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}
{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"First"}
{"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":0,"text":"First"}
{"type":"response.reasoning_summary_part.added","item_id":"rs_1","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}}
{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Second"}
{"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":1,"text":"Second"}
{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"First"},{"type":"summary_text",` +
	`"text":"Second"}],"encrypted_content":"gAAAsecret=="}}
`

const (
	completedEnd = `{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],` +
		`"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":2},"output_tokens":3}}}`
	failedEnd = `{"type":"response.failed","response":{"id":"resp_1","status":"failed",` +
		`"error":{"code":"rate_limit_exceeded","message":"slow down"}}}`
	brokenArguments = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}
{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"p\":"}}
{"type":"content_block_stop","index":0}
{"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":9}}
{"type":"message_stop"}`
	errorInStream = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}
{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`
)

func streamNeeds() []need {
	return []need{
		{name: "10.16_calls_after_text_and_thinking", way: "AC", kind: "stream", body: claudeStream, text: []string{
			`"reasoning_content":"hm "`, `"content":"I look."`, `"tool_calls":[{"index":0,"id":"toolu_1"`, `"tool_calls":[{"index":1,"id":"toolu_2"`,
			`"finish_reason":"tool_calls"`,
		}, not: []string{`[{"index":2`, `[{"index":3`}},
		{name: "10.16_block_numbers_without_gaps", way: "CA", kind: "stream", body: chatStream, text: []string{
			`"content_block_start","index":0,"content_block":{"type":"thinking"`, `"content_block_stop","index":0`,
			`"content_block_start","index":1,"content_block":{"type":"text"`, `"content_block_stop","index":1`,
			`"content_block_start","index":2,"content_block":{"type":"tool_use"`, `"content_block_stop","index":2`,
			`"content_block_start","index":3,"content_block":{"type":"tool_use"`, `"content_block_stop","index":3`,
		}},
		{name: "10.19_arguments_in_pieces", way: "AR", kind: "stream", body: claudeStream, text: []string{
			`arguments.delta`, `"delta":"{\"p\":"`, `arguments.delta`, `"delta":"1}"`, `"arguments":"{\"p\":1}"`, `"call_id":"toolu_2"`, `"arguments":"{}"`,
		}},
		{name: "10.19_no_arguments_for_claude_code", way: "CA", kind: "stream", body: chatStream, text: []string{
			`"name":"now","input":{}`, `"index":3`, `"stop_reason":"tool_use"`,
		}},
		{name: "10.19_arguments_cut_by_the_limit", way: "AR", kind: "stream", body: brokenArguments, text: []string{
			`"delta":"{\"p\":"`, `"response.incomplete"`, `"max_output_tokens"`,
		}, not: []string{`"response.completed"`}},
		{
			name: "10.20_one_thought_many_deltas", way: "AC", kind: "stream", body: claudeStream,
			text: []string{`"reasoning_content":"hm "`, `"reasoning_content":"ok"`}, not: []string{"<thinking", `"EqQB/+="`},
		},
		{name: "10.20_several_summary_parts_once", way: "RA", kind: "stream", body: reasoningStream + completedEnd, text: []string{
			`"thinking_delta","thinking":"First"`, `Second"`, `"signature_delta"`, `"message_stop"`,
		}, not: []string{`"thinking":"First\n\nSecond"`, "gAAAsecret"}},
		{name: "10.21_usage_of_claude_last", way: "AC", kind: "stream", body: claudeStream, text: []string{
			`"finish_reason":"tool_calls"`, `"choices":[],"usage":{"prompt_tokens":112,"completion_tokens":9,"total_tokens":121`, `[DONE]`,
		}},
		{
			name: "10.21_no_usage_that_nobody_asked_for", way: "AC", kind: "stream", asks: `{"model":"m","stream":true,"messages":[{"role":"user","content":"a"}]}`,
			body: claudeStream, not: []string{`"usage"`, `"choices":[]`},
		},
		{name: "10.21_usage_in_both_places", way: "CA", kind: "stream", body: chatStream, text: []string{
			`"message_start"`, `"usage":{`, `"message_delta"`, `"input_tokens":12`, `"cache_read_input_tokens":100`, `"output_tokens":9`,
		}},
		{
			name: "10.23_errors_inside_for_chat", way: "AC", kind: "stream", body: errorInStream, text: []string{`"error":{`, `busy`},
			not: []string{`"finish_reason":"stop"`, "[DONE]"},
		},
		{
			name: "10.23_errors_inside_for_responses", way: "AR", kind: "stream", body: errorInStream, text: []string{`"response.failed"`, `busy`},
			not: []string{`"response.completed"`},
		},
		{name: "10.23_errors_inside_for_claude_code", way: "RA", kind: "stream", body: reasoningStream + failedEnd, text: []string{
			`"type":"error"`, `"rate_limit_error"`, `slow down`,
		}, not: []string{`"message_stop"`}},
		{name: "10.24_no_done_outside_of_chat", way: "CR", kind: "stream", body: chatStream, text: []string{`"response.completed"`}, not: []string{"[DONE]"}},
		{name: "10.24_no_done_for_claude_code", way: "CA", kind: "stream", body: chatStream, text: []string{`"message_stop"`}, not: []string{"[DONE]"}},
		{name: "10.24_done_for_chat", way: "RC", kind: "stream", body: reasoningStream + completedEnd, text: []string{`"finish_reason":"stop"`, "[DONE]"}},
	}
}
