package accesslog

import (
	"context"
	"io"
	"log/slog"
)

// sink is where lines of one kind go, and how they are written. The nil sink is closed.
type sink struct {
	message string // of records in the log
	format  Format
	logger  *slog.Logger
	out     io.Writer // takes whole lines; nil means the logger
	file    *file     // the one that out is, if it is one
	draft   draft     // events come one at a time
}

// line is what can be written.
type line interface {
	// members adds those of a structured line, in their order and without those that have no value.
	members(to *members)
	// line writes the line in a format, without a line end. It is good until the next one.
	line(f Format, d *draft) []byte
}

// members are those of a structured line.
type members []slog.Attr

// text adds a text, unless it is empty.
func (m *members) text(key, value string) {
	if value != "" {
		*m = append(*m, slog.String(key, value))
	}
}

// number adds a number, if it is known.
func (m *members) number(key string, value int64, known bool) {
	if known {
		*m = append(*m, slog.Int64(key, value))
	}
}

// float adds a number with a fraction.
func (m *members) float(key string, value float64) { *m = append(*m, slog.Float64(key, value)) }

// draft is the memory of a line, for the next one. The zero value is ready.
type draft struct {
	text    []byte
	members members
}

// maxDraft is how much text may stay in memory after a long line.
const maxDraft = 16 << 10

// done forgets the line.
func (d *draft) done() {
	clear(d.members) // they hold on to texts
	if cap(d.text) > maxDraft {
		d.text = nil
	}
}

// open begins with the file, unless lines go elsewhere.
func (s *sink) open(cfg *Config, path string) error {
	if s.out != nil || path == "" {
		return nil
	}
	s.file = &file{path: path, batch: cfg.BufferSize, interval: cfg.FlushInterval, logger: s.logger}
	s.out = s.file
	return s.file.open()
}

func (s *sink) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return s.file.close()
}

func (s *sink) write(ctx context.Context, l line) error {
	defer s.draft.done()
	if s.out != nil {
		s.draft.text = append(l.line(s.format, &s.draft), '\n')
		_, err := s.out.Write(s.draft.text)
		return err
	}
	var attrs members // a handler may keep them
	if s.format == FormatStructured {
		l.members(&attrs)
	} else {
		attrs.text("line", string(l.line(s.format, &s.draft)))
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, s.message, attrs...) //nolint:sloglint // one of two constants
	return nil
}
