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
}

// line is what can be written.
type line interface {
	// attrs are the members of a structured line.
	attrs() []slog.Attr
	// line is the line in a format, without a line end.
	line(f Format) []byte
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
	if s.out != nil {
		_, err := s.out.Write(append(l.line(s.format), '\n'))
		return err
	}
	attrs := l.attrs()
	if s.format != FormatStructured {
		attrs = []slog.Attr{slog.String("line", string(l.line(s.format)))}
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, s.message, attrs...) //nolint:sloglint // one of two constants
	return nil
}
