package requesttracer

import (
	"net/http"
	"testing"

	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

// TestEncodedBodyIsLeftOut holds that nothing is stored of a body in which nobody can look for secrets.
func TestEncodedBodyIsLeftOut(t *testing.T) {
	t.Parallel()
	tr := &trace{exchange: &exchange{p: &plugin{scrubber: scrub.New()}}}
	for encoding, omitted := range map[string]bool{"br": true, "gzip": true, "identity": false, "": false} {
		var d document
		h := hooks.SnapshotHeader(http.Header{"Content-Encoding": {encoding}})
		text := tr.text(h, &body{kept: []byte("who knows"), size: 9}, &d)
		if (d.Omitted != "") != omitted || (text == nil) != omitted {
			t.Errorf("encoding %q: %q, omitted %q", encoding, text, d.Omitted)
		}
	}
}
