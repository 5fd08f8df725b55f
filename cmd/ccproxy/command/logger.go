package command

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/ccproxy-go/ccproxy/config"
)

// newHandler writes as the configuration says; without a word there, for people on a terminal, else as JSON.
func newHandler(w io.Writer, l config.Logging, colourless bool) slog.Handler {
	format := l.Format
	if format == "auto" && isTerminal(w) {
		format = "rich"
	}
	switch format {
	case "rich":
		return tint.NewTextHandler(w, &tint.Options{Level: l.Level, TimeFormat: time.TimeOnly, NoColor: colourless})
	case "plain":
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: l.Level})
	default:
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.Level})
	}
}

// openLog adds a file to the log, in JSON whatever a person sees. Its mode keeps it to the user.
func openLog(path string, l config.Logging, console slog.Handler) (slog.Handler, io.Closer, error) {
	if path == "" {
		return console, io.NopCloser(nil), nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, errors.Join(errUsage, err)
	}
	file := slog.NewJSONHandler(f, &slog.HandlerOptions{Level: l.Level})
	return slog.NewMultiHandler(console, file), f, nil
}

// quietLogger is for commands that say by themselves what they do: it writes what a person has to know.
func (a *app) quietLogger(l config.Logging) *slog.Logger {
	l.Level = max(l.Level, config.Level(slog.LevelWarn))
	return slog.New(newHandler(a.Stderr, l, a.variable("NO_COLOR") != ""))
}
