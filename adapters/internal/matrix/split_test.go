package matrix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// madeUp is what is made anew for each stream: ids, and the time where the source has none.
var madeUp = regexp.MustCompile(`(call_|chatcmpl-|toolu_)[A-Z2-7]{26}|resp_[0-9a-f]{32}|"created(_at)?":[0-9]{10}`)

// pass is a way of a stream's bytes to those of a client.
type pass struct {
	name string
	wire string
	// convert gives what a client gets, its losses and the error that there is instead.
	convert func(ctx context.Context, in adapters.Stream) string
}

// TestSplit: however the network cuts a stream, the client gets the same bytes. A decoder sees events alone, so it is
// enough that these are the same for a cut at every byte; the whole way is gone for every stepth one, and for a stream
// that comes byte by byte.
func TestSplit(t *testing.T) {
	t.Parallel()
	step := 13
	if raceEnabled || testing.Short() {
		step = 101
	}
	for _, p := range passes(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			want := p.read(t, strings.NewReader(p.wire))
			if want == "" {
				t.Fatal("nothing comes out")
			}
			p.same(t, "byte by byte", want, iotest.OneByteReader(strings.NewReader(p.wire)))
			crlf := strings.ReplaceAll(p.wire, "\n", "\r\n")
			p.same(t, "lines that end with CRLF, byte by byte", want, iotest.OneByteReader(strings.NewReader(crlf)))
			events := eventText(strings.NewReader(p.wire))
			for i := 0; i < len(p.wire) && !t.Failed(); i++ {
				if got := eventText(p.cut(i)); got != events {
					t.Errorf("cut at byte %d:\n%s\nwant\n%s", i, got, events)
				}
				if i%step == 0 {
					p.same(t, "cut at byte "+itoa(i), want, p.cut(i))
				}
			}
		})
	}
}

// cut is the stream in two pieces.
func (p *pass) cut(i int) io.Reader {
	return io.MultiReader(strings.NewReader(p.wire[:i]), strings.NewReader(p.wire[i:]))
}

// eventText are the events of a stream, and how it ends.
func eventText(in io.Reader) string {
	var out []byte
	for ev, err := range wireEvents(in) {
		if err != nil {
			return fmt.Sprintf("%s%v", out, err)
		}
		out = append(append(append(append(out, ev.Type...), 0), ev.Data...), 0)
	}
	return string(out)
}

func (p *pass) same(t *testing.T, how, want string, in io.Reader) {
	t.Helper()
	if got := p.read(t, in); got != want {
		t.Errorf("%s:\n%s\nwant\n%s", how, got, want)
	}
}

func (p *pass) read(t *testing.T, in io.Reader) string {
	t.Helper()
	return madeUp.ReplaceAllString(p.convert(t.Context(), wireEvents(in)), "(new)")
}

// passes are the streams of the cases here, to the client of each, and those of the codecs, to clients of all dialects.
func passes(t *testing.T) []pass {
	t.Helper()
	var list []pass
	for _, g := range cases(t) {
		if g.kind == stream {
			list = append(list, pass{filepath.ToSlash(g.path), g.wire(t), through(conversion(t, g.dir), g.asked(t))})
		}
	}
	for from, dir := range map[string]string{"A": "anthropic", "C": "openai/testdata/chat", "R": "openai/testdata/responses"} {
		pattern := filepath.Join("..", "..", dir, "stream", "*.txtar")
		if from == "A" {
			pattern = filepath.Join("..", "..", dir, "testdata", "stream", "*.txtar")
		}
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no streams of %s: %v", from, err)
		}
		for _, file := range files {
			wire := codecStream(t, file, from)
			name := from + "/" + strings.TrimSuffix(filepath.Base(file), ".txtar")
			list = append(list, pass{name + "/own", wire, ownWay(codecs()[from])})
			for to := range codecs() {
				if to != from {
					list = append(list, pass{name + "/" + to, wire, through(conversion(t, direction{from, to}), nil)})
				}
			}
		}
	}
	return list
}

// codecStream is a stream of a codec's own test data, as it comes over the wire.
func codecStream(t *testing.T, file, dialect string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, in, _ := strings.Cut(string(data), "-- in --\n")
	in, _, _ = strings.Cut(in, "\n-- ")
	if dialect == "A" {
		return in + "\n\n"
	}
	var out []byte
	for _, line := range lines(in) {
		out = sse.AppendEvent(out, "", []byte(line))
	}
	return string(out)
}

// through converts to another dialect.
func through(c adapters.Conversion, asked *canonical.Request) func(context.Context, adapters.Stream) string {
	return func(ctx context.Context, in adapters.Stream) string {
		var out []byte
		var lost canonical.Losses
		for ev, err := range c.ConvertStreamFor(ctx, in, asked, &lost) {
			if err != nil {
				out = fmt.Appendf(out, "error: %v\n", err)
				break
			}
			out = sse.AppendEvent(out, ev.Type, ev.Data)
		}
		return fmt.Sprintf("%s%v", out, lost.List)
	}
}

// ownWay decodes and encodes the same dialect.
func ownWay(codec adapters.Codec) func(context.Context, adapters.Stream) string {
	return func(_ context.Context, in adapters.Stream) string {
		var out bytes.Buffer
		dec, enc := codec.DecodeStream(), codec.EncodeStream(nil)
		write := func(ev adapters.Event) error {
			_, err := out.Write(sse.AppendEvent(nil, ev.Type, ev.Data))
			return err
		}
		encode := func(ev canonical.Event) error { return enc.Encode(&ev, write) }
		var err error
		for ev, failed := range in {
			if err = failed; err == nil {
				err = dec.Decode(ev, encode)
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = dec.End(encode)
		}
		return fmt.Sprintf("%s%v %v", &out, enc.Losses(), err)
	}
}
