package adapters_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
)

func TestTerminal(t *testing.T) {
	t.Parallel()
	const no, end, fail = "goes on", "end", "error"
	tests := []struct {
		name      string
		format    adapters.Format
		eventType string
		data      string
		want      string
	}{
		{"A stop", formatA, "message_stop", `{"type":"message_stop"}`, end},
		{"A error", formatA, "error", `{"type":"error","error":{}}`, fail},
		{"A delta", formatA, "content_block_delta", `{"type":"message_stop"}`, no},
		{"A message_delta", formatA, "message_delta", `{"delta":{"stop_reason":"end_turn"}}`, no},
		{"A ping", formatA, "ping", `{"type":"ping"}`, no},
		{"A unnamed stop", formatA, "", ` {"x":1, "type" : "message_stop"}`, end},
		{"A unnamed error", formatA, "", `{"type":"error"}`, fail},
		{"A unnamed nested", formatA, "", `{"a":{"type":"error"},"type":"ping"}`, no},
		{"A no JSON", formatA, "", `{"type":`, no},
		{"C done", formatC, "", "[DONE]", end},
		{"C done with spaces", formatC, "", " [DONE]\r\n", end},
		{"C error", formatC, "", `{"error":{"message":"m"}}`, fail},
		{"C error string", formatC, "", `{"id":1,"error":"m"}`, fail},
		{"C null error", formatC, "", `{"error":null,"choices":[]}`, no},
		{"C named error", formatC, "error", `{"message":"m"}`, fail},
		{"C error in text", formatC, "", `{"choices":[{"delta":{"content":"an \"error\": x"}}]}`, no},
		{"C nested error", formatC, "", `{"choices":[{"error":{}}]}`, no},
		{"C finish", formatC, "", `{"choices":[{"finish_reason":"stop"}]}`, no},
		{"C named chunk", formatC, "chunk", `{"error":{}}`, no},
		{"C empty", formatC, "", "", no},
		{"R completed", formatR, "response.completed", "{}", end},
		{"R incomplete", formatR, "response.incomplete", "{}", end},
		{"R failed", formatR, "response.failed", "{}", fail},
		{"R error", formatR, "error", "{}", fail},
		{"R response.error", formatR, "response.error", "{}", fail},
		{"R created", formatR, "response.created", `{"type":"response.completed"}`, no},
		{"R unnamed completed", formatR, "", `{"type":"response.completed","response":{}}`, end},
		{"R unnamed incomplete", formatR, "", `{"type":"response.incomplete"}`, end},
		{"R unnamed failed", formatR, "", `{"response":{"type":"x"},"type":"response.failed"}`, fail},
		{"R unnamed error", formatR, "", `{"type":"response.error"}`, fail},
		{"R unnamed delta", formatR, "", `{"type":"response.output_text.delta"}`, no},
		{"other", "custom", "message_stop", `[DONE]`, no},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			terminal, isError := adapters.Terminal(tt.format, tt.eventType, []byte(tt.data))
			got := no
			switch {
			case terminal && isError:
				got = fail
			case terminal:
				got = end
			case isError:
				t.Error("an error that is not terminal")
			}
			if got != tt.want {
				t.Errorf("Terminal(%s, %q, %s): %s, want %s", tt.format, tt.eventType, tt.data, got, tt.want)
			}
		})
	}
}

// The events that a stream consists of mostly; none may cost an allocation.
func frequentEvents() []struct {
	format    adapters.Format
	eventType string
	data      []byte
} {
	return []struct {
		format    adapters.Format
		eventType string
		data      []byte
	}{
		{formatA, "content_block_delta", []byte(`{"type":"content_block_delta","index":0}`)},
		{formatA, "", []byte(`{"index":0,"delta":{"text":"hi"},"type":"content_block_delta"}`)},
		{formatC, "", []byte(`{"id":"1","choices":[{"index":0,"delta":{"content":"hi"}}]}`)},
		{formatC, "", []byte(`{"id":"1","choices":[{"delta":{"content":"an error"}}],"error":null}`)},
		{formatR, "", []byte(`{"type":"response.output_text.delta","delta":"hi"}`)},
		{formatR, "", []byte(`{"type":"response.completed","response":{}}`)},
	}
}

func TestTerminalDoesNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun forbids it
	events := frequentEvents()
	allocs := testing.AllocsPerRun(100, func() {
		for _, e := range events {
			adapters.Terminal(e.format, e.eventType, e.data)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d events, want none", allocs, len(events))
	}
}

func BenchmarkTerminal(b *testing.B) {
	for _, e := range frequentEvents() {
		b.Run(string(e.format)+"/"+e.eventType, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				adapters.Terminal(e.format, e.eventType, e.data)
			}
		})
	}
}
