package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/ccproxy-go/ccproxy/config"
)

// newLogger writes as the file says; without a word there, for people if w is a terminal, and JSON otherwise.
func newLogger(w io.Writer, l config.Logging, colourless bool) *slog.Logger {
	format := l.Format
	if format == "auto" {
		format = "json"
		if isTerminal(w) {
			format = "rich"
		}
	}
	switch format {
	case "rich":
		options := &tint.Options{Level: l.Level, TimeFormat: time.TimeOnly, NoColor: colourless}
		return slog.New(tint.NewTextHandler(w, options))
	case "plain":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l.Level}))
	default:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.Level}))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
