package ccproxy

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// lossHeader tells a client what of its request, and of a whole answer, the other format has no place for.
const lossHeader = "X-CCProxy-Loss"

// maxLossHeader bounds the header; servers and clients refuse long ones.
const maxLossHeader = 1 << 10

// noteLosses sets the header of what was lost: paths of the request, and those of the answer after "response.".
func noteLosses(h http.Header, request, answer []canonical.Loss) {
	var b strings.Builder
	for _, part := range []struct {
		prefix string
		list   []canonical.Loss
	}{{"", request}, {"response.", answer}} {
		for _, loss := range part.list {
			path := part.prefix + headerSafe(loss.Path)
			if b.Len()+len(", ")+len(path) > maxLossHeader {
				h.Set(lossHeader, b.String()+"…")
				return
			}
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(path)
		}
	}
	if b.Len() > 0 {
		h.Set(lossHeader, b.String())
	}
}

// maxLossesTold bounds what hooks are told of one request.
const maxLossesTold = 256

// losses are the paths of what was lost of the call and its answer so far, as in the header. A list that was cut off
// ends with "…".
func (ex *exchange) losses() []string {
	if ex.call == nil {
		return nil
	}
	var paths []string
	for _, part := range []struct {
		prefix string
		list   []canonical.Loss
	}{{"", ex.call.lost}, {"response.", ex.lost}} {
		for _, loss := range part.list {
			if len(paths) == maxLossesTold {
				return append(paths, "…")
			}
			paths = append(paths, part.prefix+loss.Path)
		}
	}
	return paths
}

// headerSafe replaces what would end a path or a header: paths hold names that clients make up.
func headerSafe(path string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ',' {
			return '?'
		}
		return r
	}, path)
}

// strictError refuses a request that cannot be converted whole.
func strictError(from, to adapters.Format, lost []canonical.Loss) *Error {
	e := badRequest(lost[0].Path, "%s: cannot be converted from %s to %s", lossNames(lost), from, to)
	e.Code = "conversion_loss"
	return e
}

// lossNames lists what was lost, and why, for people.
func lossNames(lost []canonical.Loss) string {
	const shown = 8
	names := make([]string, 0, shown)
	for _, loss := range lost[:min(len(lost), shown)] {
		names = append(names, loss.Path+" ("+loss.Reason+")")
	}
	if len(lost) > shown {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// logLosses writes one debug line.
func (p *pipeline) logLosses(ctx context.Context, call *Call, what string, lost []canonical.Loss) {
	if len(lost) == 0 || !p.proxy.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	paths := make([]string, len(lost))
	for i, loss := range lost {
		paths[i] = loss.Path + ": " + loss.Reason
	}
	p.proxy.logger.LogAttrs(ctx, slog.LevelDebug, "conversion loses fields", slog.String("request_id", call.ID),
		slog.String("provider", p.name), slog.String("of", what), slog.String("client_format", string(p.format)),
		slog.Any("lost", paths))
}
