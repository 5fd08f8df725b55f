package clients

// claudeCode is a request of Claude Code in the middle of its work.
const claudeCode = `{"model":"gpt-5.5","max_tokens":64000,"stream":true,"system":[
{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.197.abc; cc_entrypoint=cli;"},
{"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral","ttl":"1h"}},
{"type":"text","text":"Work.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>x</system-reminder>"},{"type":"text","text":"read both"}]},
{"role":"system","content":"Mid note"},
{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQBCgYI"},{"type":"text","text":"ok"},
	{"type":"tool_use","id":"toolu_01A","name":"Read","input":{"file_path":"/a.png"}},{"type":"tool_use","id":"toolu_01B","name":"Bash","input":{}}]},
{"role":"user","content":[{"tool_use_id":"toolu_01A","type":"tool_result","content":[
		{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBOR"}}],"is_error":false},
	{"tool_use_id":"toolu_01B","type":"tool_result","content":"boom","is_error":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},
	{"type":"text","text":"also this"}]}],
"tools":[{"name":"Read","description":"Reads","input_schema":` + deepSchema + `},
	{"name":"Bash","input_schema":{"type":"object","properties":{}}},{"name":"StructuredOutput","input_schema":{"type":"object"}}],
"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},
"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},
"metadata":{"user_id":"{\"device_id\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"account_uuid\":\"\",\"session_id\":\"0000-0000-0000\"}"}}`

// deepSchema has what schemas of real tools have.
const deepSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"file_path":` +
	`{"type":"string","minLength":1},"x":{"$ref":"#/$defs/y"}},"required":["file_path"],"additionalProperties":false,"$defs":{"y":{"type":"string"}}}`

// codexCLI is a request of the Codex CLI that is to be answered by Claude.
const codexCLI = `{"model":"claude-opus-4-6","stream":true,"store":false,"input":[
{"type":"message","id":"msg_1","role":"developer","content":[{"type":"input_text","text":"You are Codex"}]},
{"type":"message","id":"msg_2","role":"user","content":[{"type":"input_text","text":"hi"}],"internal_chat_message_metadata_passthrough":{"a":1}},
{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"content":null,"encrypted_content":"gAAA"},
{"type":"custom_tool_call","id":"ctc_1","call_id":"call_p","name":"apply_patch","input":"*** Begin Patch\n\"q\"","status":"completed"},
{"type":"custom_tool_call_output","id":"ctco_1","call_id":"call_p","output":"done"},
{"type":"function_call","id":"fc_1","call_id":"call_v","name":"view_image","arguments":"{\"path\":\"a.png\"}"},
{"type":"function_call","id":"fc_2","call_id":"call_e","name":"exec_command","arguments":""},
{"type":"function_call_output","id":"fco_1","call_id":"call_v","output":[{"type":"input_image","image_url":"data:image/png;base64,iVBO","detail":"original"}]},
{"type":"function_call_output","id":"fco_2","call_id":"call_e","output":"ok"}],
"tools":[{"type":"function","name":"exec_command","strict":false,"parameters":` + deepSchema + `},
	{"type":"custom","name":"apply_patch","description":"p","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},
	{"type":"tool_search"},{"type":"web_search","external_web_access":true,"search_content_types":["text","image"]},
	{"type":"namespace","name":"ns","description":"d","tools":[{"type":"function","name":"inner","parameters":{"type":"object"},"strict":false}]}],
"tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"medium","summary":"auto"},
"include":["reasoning.encrypted_content"],"prompt_cache_key":"thread-1","client_metadata":{"x":"y"},
"text":{"verbosity":"low","format":{"type":"json_schema","name":"codex_output_schema","strict":true,"schema":{"type":"object","additionalProperties":false}}}}`

// agent is a request of an agent on OpenAI's SDK that is to be answered by Claude.
const agent = `{"model":"claude-sonnet-4-5","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":8000,
"temperature":0.2,"stop":["END"],"user":"u","messages":[{"role":"system","content":[{"type":"text","text":"S"}]},{"role":"developer","content":"D"},
{"role":"user","content":"do"},{"role":"assistant","content":null,"tool_calls":[
	{"id":"call:1.x","type":"function","function":{"name":"f","arguments":""}},{"id":"call_2","type":"function","function":{"name":"g","arguments":"{\"a\":1}"}}]},
{"role":"tool","tool_call_id":"call:1.x","content":"1"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"2"}]},
{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}],
"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","parameters":` + deepSchema + `}}],
"parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}}`

func systemNeeds() []need {
	return []need{
		{name: "4.11_claude_code_over_responses", way: "AR", kind: "request", body: claudeCode, want: map[string]string{
			"instructions": `"You are Claude Code.\n\nWork."`, "input.1.role": `"developer"`, "input.1.content.0.text": `"Mid note"`,
		}, lost: []string{"system[0]"}, not: []string{"billing"}},
		{name: "4.11_claude_code_over_chat", way: "AC", kind: "request", body: claudeCode, want: map[string]string{
			"messages.0": `{"role":"system","content":"You are Claude Code.\n\nWork."}`, "messages.2": `{"role":"system","content":"Mid note"}`,
		}, not: []string{"billing"}},
		{name: "4.11_codex_over_claude", way: "RA", kind: "request", body: codexCLI, want: map[string]string{"system": `"You are Codex"`}},
		{
			name: "4.11_later_system_text_for_claude", way: "RA", kind: "request", body: `{"model":"claude-sonnet-4-5","instructions":"I",
			"input":[{"role":"user","content":"a"},{"role":"developer","content":"mid"}]}`,
			want: map[string]string{"system": `"I"`, "messages.1.role": `"user"`}, text: []string{"mid"}, lost: []string{"input[1].content"},
		},
		{name: "10.25_all_system_messages", way: "CA", kind: "request", body: agent, want: map[string]string{
			"system": `[{"type":"text","text":"S"},{"type":"text","text":"D"}]`,
		}},
		{
			name: "10.25_cache_marks_stay", way: "CA", kind: "request", body: `{"model":"claude-sonnet-4-5","messages":[
			{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]}`,
			want: map[string]string{"messages.0.content.0.cache_control": `{"type":"ephemeral"}`},
		},
	}
}

func toolNeeds() []need {
	return []need{
		{name: "4.12_parallel_results_in_order_over_responses", way: "AR", kind: "request", body: claudeCode, want: map[string]string{
			"input.3.call_id": `"toolu_01A"`, "input.4.arguments": `"{}"`, "input.5.call_id": `"toolu_01A"`, "input.6.call_id": `"toolu_01B"`,
			"input.5.output.0.image_url": `"data:image/png;base64,iVBOR"`, "input.7.content.0.text": `"also this"`,
		}},
		{name: "4.12_images_of_results_over_chat", way: "AC", kind: "request", body: claudeCode, want: map[string]string{
			"messages.3.tool_calls.1.function.arguments": `"{}"`, "messages.4.tool_call_id": `"toolu_01A"`, "messages.5.tool_call_id": `"toolu_01B"`,
			"messages.6.role": `"user"`, "messages.6.content.1.image_url.url": `"data:image/png;base64,iVBOR"`, "messages.6.content.2.text": `"also this"`,
		}},
		{name: "4.12_ids_that_claude_takes", way: "CA", kind: "request", body: agent, want: map[string]string{
			"messages.1.content.0.input": `{}`, "messages.2.content.1.tool_use_id": `"call_2"`, "messages.2.content.2.text": `"see"`, "messages.3": "",
		}, not: []string{"call:1.x"}},
		{name: "4.12_ids_that_chat_takes", way: "AC", kind: "request", body: longIDs, not: []string{longID}},
		{name: "4.12_ids_that_responses_takes", way: "AR", kind: "request", body: longIDs, not: []string{longID}},
		{name: "10.17_results_of_one_turn_in_one_message", way: "RA", kind: "request", body: codexCLI, want: map[string]string{
			"messages.4.content.0.tool_use_id": `"call_v"`, "messages.4.content.1.tool_use_id": `"call_e"`, "messages.5": "",
			"messages.4.content.0.content.0.source.data": `"iVBO"`,
		}},
		{
			name: "10.17_results_first", way: "RA", kind: "request", body: `{"model":"claude-sonnet-4-5","input":[{"role":"user","content":"a"},
			{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"role":"user","content":"between"},
			{"type":"function_call_output","call_id":"c","output":"z"}]}`,
			want: map[string]string{"messages.2.content.0.type": `"tool_result"`, "messages.2.content.1.text": `"between"`},
		},
		{name: "10.18_failed_results", way: "AR", kind: "request", body: claudeCode, want: map[string]string{"input.6.output": `"[tool error] boom"`}},
		{name: "10.18_failed_results_over_chat", way: "AC", kind: "request", body: claudeCode, want: map[string]string{
			"messages.5.content": `"[tool error] boom"`,
		}},
		{
			name: "10.19_arguments_that_broke_off", way: "CA", kind: "request", body: `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"a"},
			{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]},
			{"role":"tool","tool_call_id":"c","content":"bad"}]}`,
			want: map[string]string{"messages.1.content.0.input": `{"arguments":"{\"a\":"}`}, lost: []string{"messages[1].tool_calls[0].function.arguments"},
		},
	}
}

const (
	longID  = "toolu_0123456789012345678901234567890123456789012345678901234567890123456789"
	longIDs = `{"model":"gpt-5","max_tokens":50,"messages":[{"role":"user","content":"a"},
{"role":"assistant","content":[{"type":"tool_use","id":"` + longID + `","name":"f","input":{}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + longID + `","content":"z"}]}]}`
	forcedSearch = `{"model":"gpt-5","max_tokens":32000,"messages":[{"role":"user","content":"q"}],
"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}],"tool_choice":{"type":"tool","name":"web_search"}}`
	onlyHosted = `{"model":"claude-opus-4-8","input":"hi","tools":[{"type":"tool_search"}],"tool_choice":"required","parallel_tool_calls":true}`
)

func choiceNeeds() []need {
	return []need{
		{name: "4.13_no_calls", way: "AC", kind: "request", body: `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"a"}],
			"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}}`, want: map[string]string{"tool_choice": `"none"`}},
		{name: "4.13_parallel_off", way: "CA", kind: "request", body: agent, want: map[string]string{
			"tool_choice": `{"type":"auto","disable_parallel_tool_use":true}`,
		}},
		{
			name: "4.13_named_over_responses", way: "AR", kind: "request", body: `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"a"}],
			"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true}}`,
			want: map[string]string{"tool_choice": `{"type":"function","name":"f"}`, "parallel_tool_calls": `false`},
		},
		{name: "4.13_schemas_untouched_over_responses", way: "AR", kind: "request", body: claudeCode, text: []string{deepSchema}},
		{name: "4.13_schemas_untouched_over_chat", way: "AC", kind: "request", body: claudeCode, text: []string{deepSchema}},
		{name: "4.13_schemas_untouched_over_claude", way: "RA", kind: "request", body: codexCLI, text: []string{deepSchema}},
		{name: "4.13_tools_without_parameters", way: "CA", kind: "request", body: agent, want: map[string]string{"tools.0.input_schema": `{"type":"object"}`}},
		{name: "4.14_free_form_tools_wrapped", way: "RA", kind: "request", body: codexCLI, want: map[string]string{
			"tools.1.name": `"apply_patch"`, "tools.1.input_schema.required": `["input"]`, "tools.2": "",
			"messages.1.content.0.input": `{"input":"*** Begin Patch\n\"q\""}`,
		}, lost: []string{"tools[2]", "tools[3]", "tools[4]"}},
		{name: "4.14_hosted_tools_alone", way: "RC", kind: "request", body: onlyHosted, want: map[string]string{
			"tools": "", "tool_choice": "", "parallel_tool_calls": "", // which are refused without tools
		}, lost: []string{"tools[0]", "tool_choice"}},
		{name: "4.14_hosted_tools_alone_over_claude", way: "RA", kind: "request", body: onlyHosted, want: map[string]string{"tools": "", "tool_choice": ""}},
		{name: "4.14_web_search_over_responses", way: "AR", kind: "request", body: forcedSearch, want: map[string]string{
			"tools": `[{"type":"web_search"}]`, "tool_choice": `{"type":"web_search"}`,
		}},
		{
			name: "4.14_web_search_over_chat", way: "AC", kind: "request", body: forcedSearch, want: map[string]string{"tools": "", "tool_choice": ""},
			lost: []string{"tools[0]", "tool_choice"},
		},
	}
}

const continuation = `{"model":"claude-sonnet-4-5","reasoning_effort":"low","max_tokens":9000,"temperature":0.5,"messages":[{"role":"user","content":"a"},
{"role":"assistant","content":"t","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f"}}]}`

func thinkingNeeds() []need {
	return []need{
		{
			name: "4.15_effort_while_unsigned_calls_are_answered", way: "CA", kind: "request", body: continuation,
			want: map[string]string{"thinking": "", "temperature": `0.5`}, lost: []string{"reasoning_effort"},
		},
		{name: "4.15_summaries_for_who_wants_to_see_thinking", way: "AR", kind: "request", body: claudeCode, want: map[string]string{
			"reasoning": `{"effort":"high","summary":"auto"}`, "include": `["reasoning.encrypted_content"]`, "store": `false`,
		}},
		{name: "4.15_thinking_shown_to_codex", way: "RA", kind: "request", body: codexCLI, want: map[string]string{
			"thinking": `{"type":"adaptive","display":"summarized"}`, "output_config.effort": `"medium"`,
		}, not: []string{"gAAA"}},
		{
			name: "10.27_least_budget", way: "CA", kind: "request", body: `{"model":"claude-sonnet-4-5","reasoning_effort":"minimal","temperature":0.2,
			"max_tokens":3000,"messages":[{"role":"user","content":"a"}]}`,
			want: map[string]string{"thinking": `{"type":"enabled","budget_tokens":1024}`, "max_tokens": `3000`, "temperature": ""},
		},
		{
			name: "10.27_budget_below_the_limit_of_the_model", way: "CA", kind: "request",
			body: `{"model":"claude-opus-4-1","reasoning_effort":"xhigh","messages":[{"role":"user","content":"a"}]}`,
			want: map[string]string{"thinking.budget_tokens": `27904`, "max_tokens": `32000`},
		},
		{name: "10.27_budgets_become_efforts", way: "AC", kind: "request", body: `{"model":"gpt-5","max_tokens":32000,
			"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"a"}]}`, want: map[string]string{"reasoning_effort": `"low"`}},
		{
			name: "10.27_adaptive_models", way: "CA", kind: "request",
			body: `{"model":"claude-opus-4-8","reasoning_effort":"minimal","temperature":0.2,"messages":[{"role":"user","content":"a"}]}`,
			want: map[string]string{"thinking.type": `"adaptive"`, "output_config.effort": `"low"`, "temperature": ""}, lost: []string{"temperature"},
		},
	}
}

func settingNeeds() []need {
	return []need{
		{
			name: "4.16_response_format_for_claude", way: "CA", kind: "request", body: agent,
			want: map[string]string{"output_config.format": `{"type":"json_schema","schema":{"type":"object"}}`},
		},
		{
			name: "4.16_response_format_for_responses", way: "CR", kind: "request", body: agent,
			want: map[string]string{"text.format": `{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}`},
		},
		{
			name: "4.16_text_format_for_claude", way: "RA", kind: "request", body: codexCLI,
			want: map[string]string{"output_config.format.schema": `{"type":"object","additionalProperties":false}`},
		},
		{
			name: "4.16_text_format_for_chat", way: "RC", kind: "request", body: codexCLI,
			want: map[string]string{"response_format.json_schema.name": `"codex_output_schema"`, "response_format.json_schema.strict": `true`},
		},
		{name: "10.28_json_object_for_claude", way: "CA", kind: "request", body: `{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"a"}],
			"response_format":{"type":"json_object"}}`, text: []string{"JSON"}, lost: []string{"response_format"}},
		{
			name: "10.28_output_format_for_chat", way: "AC", kind: "request", body: `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"a"}],
			"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`,
			want: map[string]string{"response_format.json_schema.schema": `{"type":"object"}`},
		},
		{name: "4.19_no_limit_of_codex", way: "RA", kind: "request", body: codexCLI, want: map[string]string{"max_tokens": `32000`}},
		{
			name: "4.19_no_limit_for_an_older_model", way: "CA", kind: "request",
			body: `{"model":"claude-3-opus-20240229","messages":[{"role":"user","content":"a"}]}`, want: map[string]string{"max_tokens": `4096`},
		},
		{name: "4.19_both_names_of_the_limit", way: "CA", kind: "request", body: continuation, want: map[string]string{"max_tokens": `9000`}},
		{name: "4.19_the_newer_name_for_chat", way: "AC", kind: "request", body: claudeCode, want: map[string]string{
			"max_completion_tokens": `64000`, "max_tokens": "",
		}},
		{
			name: "4.19_sampling_that_the_model_refuses", way: "CA", kind: "request",
			body: `{"model":"claude-opus-4-7","temperature":0.3,"top_p":0.5,"messages":[{"role":"user","content":"a"}]}`,
			want: map[string]string{"temperature": "", "top_p": ""}, lost: []string{"temperature", "top_p"},
		},
		{name: "10.26_settings_for_claude", way: "CA", kind: "request", body: agent, want: map[string]string{
			"temperature": `0.2`, "stop_sequences": `["END"]`, "metadata.user_id": `"u"`,
		}},
		{name: "10.26_settings_of_claude_code", way: "AR", kind: "request", body: claudeCode, want: map[string]string{
			"context_management": "", "metadata": "", "max_output_tokens": `64000`,
		}, lost: []string{"context_management", "metadata.user_id"}},
		{name: "10.21_usage_asked_for", way: "AC", kind: "request", body: claudeCode, want: map[string]string{"stream_options": `{"include_usage":true}`}},
		{name: "10.29_unknown_members_told", way: "RA", kind: "request", body: codexCLI, lost: []string{"client_metadata", "prompt_cache_key"}},
	}
}
