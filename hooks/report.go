package hooks

import (
	"log/slog"
	"time"
)

// failurePause keeps a hook that fails every other event of a fast stream from filling the log.
const failurePause = time.Second

// report is what the log is told about a call, once no mutex is held.
type report struct {
	out     outcome
	silent  bool  // a failure that comes too soon after the last one that was logged
	blew    bool  // the fuse
	dropped int64 // events since the last report of them
}

// tell writes the report. It says nothing of what the hook was called with.
func (id *identity) tell(r report) {
	if r.out.err != nil && !r.silent {
		attrs := []slog.Attr{slog.String("error", r.out.text)}
		if r.out.stack != nil {
			attrs = append(attrs, slog.Any("stack", r.out.stack))
		}
		id.write(slog.LevelWarn, "hook failed", attrs...)
	}
	if r.blew {
		id.write(slog.LevelError, "hook fused", slog.Duration("pause", fusePause))
	}
	if r.dropped > 0 {
		id.write(slog.LevelWarn, "events dropped", slog.Int64("dropped", r.dropped))
	}
}

func (id *identity) write(level slog.Level, msg string, attrs ...slog.Attr) {
	who := []slog.Attr{slog.String("plugin", id.plugin), slog.String("hook", id.name)}
	id.log(level, msg, append(who, attrs...)...)
}
