package anthropic

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// seeds adds the inputs of the golden cases.
func seeds(f *testing.F, dir string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, in, _ := strings.Cut(string(text), "-- in --\n")
		in, _, _ = strings.Cut(in, "\n-- ")
		f.Add([]byte(in))
	}
}

// What can be decoded can be encoded, for this vendor and as if it came from another, as valid JSON.
func FuzzRequest(f *testing.F) {
	seeds(f, "request")
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Codec().Requests().DecodeRequest(body)
		if err != nil {
			return
		}
		for _, source := range []string{dialect, "openai.responses"} {
			req.Source = source
			out, err := Codec().Requests().EncodeRequest(req, nil)
			if err != nil || !json.Valid(out) {
				t.Errorf("EncodeRequest() as of %s = %v, %s", source, err, out)
			}
		}
	})
}

// Whatever an upstream sends, the client gets valid JSON, indices without gaps and one end.
func FuzzStream(f *testing.F) {
	seeds(f, "stream")
	f.Fuzz(func(t *testing.T, body []byte) {
		dec, enc := Codec().DecodeStream(), Codec().EncodeStream(nil)
		starts, ends := 0, 0
		check := func(ev adapters.Event) error {
			if !json.Valid(ev.Data) {
				t.Errorf("%s: invalid JSON %s", ev.Type, ev.Data)
			}
			if ends > 0 {
				t.Errorf("%s after the end", ev.Type)
			}
			var data struct{ Index *int }
			switch ev.Type {
			case "content_block_start":
				if err := json.Unmarshal(ev.Data, &data); err != nil || data.Index == nil || *data.Index != starts {
					t.Errorf("block %d starts as %s", starts, ev.Data)
				}
				starts++
			case "message_stop", "error":
				ends++
			}
			return nil
		}
		forward := func(ev canonical.Event) error {
			if ev.Kind == canonical.EventPing {
				ev.Part = nil // the event of another name may be called anything
			}
			return enc.Encode(&ev, check)
		}
		for line := range strings.Lines(string(body)) {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if err := dec.Decode(adapters.Event{Data: []byte(strings.TrimSpace(data))}, forward); err != nil {
					return
				}
			}
		}
		if err := dec.End(forward); err == nil && ends != 1 {
			t.Errorf("%d ends", ends)
		}
	})
}
