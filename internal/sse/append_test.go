package sse

import "testing"

func TestAppendEvent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, typ, data, want string
	}{
		{"data", "", "x", "data: x\n\n"},
		{"type", "ping", "{}", "event: ping\ndata: {}\n\n"},
		{"empty", "", "", "data: \n\n"},
		{"leading space", " t", " x", "event:  t\ndata:  x\n\n"},
		{"lines", "", "a\nb\rc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"line end last", "", "a\n", "data: a\ndata: \n\n"},
		{"CR alone", "", "a\rb", "data: a\ndata: b\n\n"},
		{"forged field", "a\ndata: x\r\n\r\n\x00b", "y", "event: adata: xb\ndata: y\n\n"},
		{"forged event", "", "x\n\nevent: y", "data: x\ndata: \ndata: event: y\n\n"},
		{"long type", "content_block_delta\rx", "y", "event: content_block_deltax\ndata: y\n\n"},
		{"tab in type", "content\tblock", "y", "event: content\tblock\ndata: y\n\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := string(AppendEvent([]byte("<"), test.typ, []byte(test.data))); got != "<"+test.want {
				t.Errorf("AppendEvent() = %q, want %q", got, "<"+test.want)
			}
		})
	}
}

func TestAppendComment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"keep-alive":    ": keep-alive\n\n",
		"":              ": \n\n",
		"a\r\n\ndata:b": ": a\n: \n: data:b\n\n",
	} {
		if got := string(AppendComment(nil, text)); got != want {
			t.Errorf("AppendComment(%q) = %q, want %q", text, got, want)
		}
	}
}
