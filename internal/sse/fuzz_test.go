package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader checks that the raw bytes of all blocks and the rest are the stream, and that neither the events
// nor the error depend on how the stream is cut.
func FuzzReader(f *testing.F) {
	for _, s := range streams {
		for _, ending := range endings {
			f.Add([]byte(ending.with(s.stream)), uint16(len(s.stream)/2))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		at := min(int(cut), len(stream))
		var want []parsed
		var wantErr error
		for i, src := range []io.Reader{
			bytes.NewReader(stream),
			iotest.OneByteReader(bytes.NewReader(stream)),
			&pieces{bytes.Clone(stream[:at]), bytes.Clone(stream[at:])},
		} {
			r := NewReader(src, 0)
			events, raw, err := readAll(r)
			if raw = append(raw, r.Rest()...); !bytes.Equal(raw, stream) {
				t.Fatalf("source %d: raw %q, want %q", i, raw, stream)
			}
			if i == 0 {
				want, wantErr = events, err
			}
			if diff := cmp.Diff(want, events); diff != "" || !errors.Is(err, wantErr) {
				t.Fatalf("source %d: error %v, want %v; events (-whole +cut):\n%s", i, err, wantErr, diff)
			}
		}
	})
}

// FuzzAppendEvent checks that what is written is read as one event, with the type and data that were given.
func FuzzAppendEvent(f *testing.F) {
	f.Add("message_start", []byte(`{"a":1}`))
	f.Add("a\r\nb\x00", []byte("x\r\ny\rz\n\n"))
	f.Add("", []byte(" "))
	f.Fuzz(func(t *testing.T, typ string, text []byte) {
		want := parsed{
			Type: strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(typ), HasType: typ != "",
			Data: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text)), HasData: true,
		}
		stream := AppendEvent(nil, typ, text)
		events, _, err := readAll(NewReader(bytes.NewReader(stream), 0))
		if diff := cmp.Diff([]parsed{want}, events); diff != "" || !errors.Is(err, io.EOF) {
			t.Errorf("error %v of %q; events (-want +got):\n%s", err, stream, diff)
		}
	})
}
