package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/secret"
)

const plain = "hunter2-token"

type holder struct {
	Exported secret.Text
	hidden   secret.Text
	Pointer  *secret.Text
	Nested   struct{ in secret.Text }
	List     []secret.Text
	Map      map[string]secret.Text
	Any      any
}

func newHolder() holder {
	t := secret.New(plain)
	h := holder{
		Exported: t, hidden: t, Pointer: &t, List: []secret.Text{t},
		Map: map[string]secret.Text{"k": t}, Any: t,
	}
	h.Nested.in = t
	return h
}

func TestNoVerbShowsText(t *testing.T) {
	t.Parallel()
	text := secret.New(plain)
	h := newHolder()
	values := map[string]any{
		"text": text, "pointer": &text, "struct": h, "struct pointer": &h, "slice": []secret.Text{text},
		"unexported": struct{ s secret.Text }{text}, "map": map[string]holder{"k": h},
	}
	leaks := []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprint([]byte(plain))}
	for name, v := range values {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", "-20", " ", "0", ".3"} {
				got := fmt.Sprintf("%"+flags+string(verb), v)
				for _, leak := range leaks {
					if strings.Contains(got, leak) {
						t.Errorf("%s with %%%s%c prints %q", name, flags, verb, got)
					}
				}
			}
		}
	}
}

func TestNoEncoderShowsText(t *testing.T) {
	t.Parallel()
	h := newHolder()
	encoders := map[string]func(*bytes.Buffer) error{
		"json":       func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(h) },
		"json field": func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(h.Exported) },
		"xml":        func(b *bytes.Buffer) error { return xml.NewEncoder(b).Encode(h.Exported) },
		"slog json": func(b *bytes.Buffer) error {
			slog.New(slog.NewJSONHandler(b, nil)).Info("m", "text", h.Exported, "holder", h, "pointer", &h)
			return nil
		},
		"slog text": func(b *bytes.Buffer) error {
			slog.New(slog.NewTextHandler(b, nil)).Info("m", "text", h.Exported, "holder", h, "pointer", &h)
			return nil
		},
	}
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := encode(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), plain) || !strings.Contains(b.String(), secret.Redacted) {
				t.Errorf("encoded as %s", b.String())
			}
		})
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	text := secret.New(plain)
	got := fmt.Sprintf("%v|%s|%#v|%q", text, text, text, secret.Text{})
	if got != "[REDACTED]|[REDACTED]|[REDACTED]|" {
		t.Errorf("printed %q", got)
	}
	b, err := json.Marshal([]secret.Text{text, {}})
	if err != nil || string(b) != `["[REDACTED]",""]` {
		t.Errorf("Marshal = %s, %v", b, err)
	}
	if got := text.Reveal(); got != plain {
		t.Errorf("Reveal = %q", got)
	}
	if !secret.New("").IsZero() || secret.New("x").IsZero() {
		t.Error("IsZero must hold for the empty text only")
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b secret.Text
		want bool
	}{
		{"same text", secret.New("abc"), secret.New("abc"), true},
		{"other text", secret.New("abc"), secret.New("abd"), false},
		{"prefix", secret.New("abc"), secret.New("ab"), false},
		{"empty and text", secret.Text{}, secret.New("a"), false},
		{"both empty", secret.Text{}, secret.New(""), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.a.Equal(tt.b); got != tt.want {
				t.Errorf("Equal = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		fails          bool
	}{
		{"string", `"a\"b"`, `a"b`, false},
		{"empty", `""`, "", false},
		{"null keeps", `null`, "before", false},
		{"number", `12345678`, "before", true},
		{"placeholder", `"[REDACTED]"`, "before", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := secret.New("before")
			err := json.Unmarshal([]byte(tt.in), &got)
			if (err != nil) != tt.fails || got.Reveal() != tt.want {
				t.Errorf("Unmarshal(%s) = %q, %v; want %q", tt.in, got.Reveal(), err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "12345678") {
				t.Errorf("error quotes the input: %v", err)
			}
		})
	}
	var text secret.Text
	if err := text.UnmarshalText([]byte("raw")); err != nil || text.Reveal() != "raw" {
		t.Errorf("UnmarshalText = %q, %v", text.Reveal(), err)
	}
	if err := text.UnmarshalText([]byte(secret.Redacted)); !errors.Is(err, secret.ErrRedacted) {
		t.Errorf("UnmarshalText(placeholder) = %v, want ErrRedacted", err)
	}
}
