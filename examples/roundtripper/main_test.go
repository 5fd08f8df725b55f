package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pieces remembers each write.
type pieces struct {
	got  []string
	done func()
}

func (p *pieces) Write(b []byte) (int, error) {
	if len(b) > 0 {
		p.got = append(p.got, string(b))
		if p.done != nil {
			p.done()
		}
	}
	return len(b), nil
}

func TestStreams(t *testing.T) {
	t.Parallel()
	var out pieces
	if err := run(t.Context(), "one two three", &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one ", "two ", "three"}, out.got); diff != "" {
		t.Errorf("pieces mismatch (-want +got):\n%s", diff)
	}
}

// TestCancelEndsTheCall leaves after the first piece.
func TestCancelEndsTheCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := pieces{done: cancel}
	err := run(ctx, strings.Repeat("word ", 2000), &out)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("run = %v, want context.Canceled", err)
	}
	if len(out.got) == 0 || len(out.got) > 1000 {
		t.Errorf("%d pieces came, want a few", len(out.got))
	}
}
