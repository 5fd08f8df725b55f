package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

const benchEvents = 1000

// benchStream is a stream of text deltas, 176 bytes each or a little less.
func benchStream() []byte {
	var b []byte
	for i := range benchEvents {
		data := fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta",`+
			`"text":"some words of an answer, number %4d, no more"}}`, i)
		b = AppendEvent(b, "content_block_delta", []byte(data))
	}
	return b
}

// BenchmarkReader measures one pass over the stream per operation; ns/event is the figure to look at.
func BenchmarkReader(b *testing.B) {
	lf := benchStream()
	for _, bench := range []struct {
		name   string
		stream []byte
	}{
		{"LF", lf},
		{"CRLF", bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))},
		{"CR", bytes.ReplaceAll(lf, []byte("\n"), []byte("\r"))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			src := bytes.NewReader(nil)
			r := NewReader(src, 0)
			b.SetBytes(int64(len(bench.stream)))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(bench.stream)
				r.Reset(src)
				drain(b, r)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchEvents), "ns/event")
		})
	}
}

func drain(tb testing.TB, r *Reader) {
	tb.Helper()
	for {
		ev, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil || !ev.HasData {
			tb.Fatalf("Next() = %q, %v, want an event with data", ev.Raw, err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	data := []byte(`{"type":"content_block_delta","index":0,` +
		`"delta":{"type":"text_delta","text":"some words of an answer"}}`)
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEvent(dst[:0], "content_block_delta", data)
	}
}
