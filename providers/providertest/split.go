package providertest

import (
	"net/http"
	"slices"
)

// SplitAt lets reply send its body in pieces that end at these offsets, each flushed by itself, so that a client reads
// them apart: in the middle of a character, of a line end, or of a field's name. [Bytewise] cuts everywhere.
func SplitAt(reply Reply, offsets ...int) Reply {
	offsets = slices.Sorted(slices.Values(offsets))
	return func(w http.ResponseWriter, r *http.Request) {
		reply(&splitWriter{ResponseWriter: w, offsets: offsets}, r)
	}
}

type splitWriter struct {
	http.ResponseWriter
	offsets []int
	written int
}

func (s *splitWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *splitWriter) Write(p []byte) (int, error) {
	total := 0
	for len(s.offsets) > 0 && s.offsets[0]-s.written <= len(p) {
		n, err := s.ResponseWriter.Write(p[:max(0, s.offsets[0]-s.written)])
		total, s.written = total+n, s.written+n
		if err != nil {
			return total, err
		}
		if err := http.NewResponseController(s.ResponseWriter).Flush(); err != nil {
			return total, err
		}
		p, s.offsets = p[n:], s.offsets[1:]
	}
	n, err := s.ResponseWriter.Write(p)
	s.written += n
	return total + n, err
}
