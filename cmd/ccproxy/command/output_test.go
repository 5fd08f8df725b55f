package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// TestNewFileHolds takes the comments of a new file away: every default that it shows can be written.
func TestNewFileHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, Options{Dir: dir}, "config", "init").wait(t, ExitOK)
	path := filepath.Join(dir, configName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var bare strings.Builder
	for line := range strings.Lines(string(content)) {
		if key, commented := strings.CutPrefix(line, "#"); commented && !strings.HasPrefix(key, " ") &&
			!strings.Contains(key, "…") {
			bare.WriteString(key) // what follows a space are words
		}
	}
	if err := os.WriteFile(path, []byte(bare.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{Options: Options{Factories: bundled.Factories()}}
	if err := a.registry.Register(a.Factories...); err != nil {
		t.Fatal(err)
	}
	f, err := config.Load(&a.registry, config.Options{Path: path, Environ: []string{}})
	if err != nil {
		t.Fatalf("%v\n%s", err, bare.String())
	}
	for _, e := range f.Entries() {
		if e.Value != e.Default {
			t.Errorf("%s = %s, want the default %s", e.Key, e.Value, e.Default)
		}
	}
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "expired", 0: "expired", time.Millisecond: "<1s", 59 * time.Second: "59s",
		time.Hour: "1h", 27*time.Hour + 5*time.Minute: "1d 3h", 24*time.Hour + time.Minute: "1d",
		61 * time.Second: "1m 1s",
	} {
		if got := remaining(d); got != want {
			t.Errorf("remaining(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"": "", "short": "***", "sk-ant-0123456789-abcdefghij": "***ghij", "sk-ant-0123456789-abcdef\x1b[2J": "***[2J",
	} {
		if got := preview(oauth.NewSecret(token)); got != want {
			t.Errorf("preview = %q, want %q", got, want)
		}
	}
}

// TestTable keeps what others say from obeying a terminal.
func TestTable(t *testing.T) {
	t.Parallel()
	out := table{head: []string{"A", "B"}}
	out.add("one\x1b[31m\ntwo", "three")
	var b strings.Builder
	if err := out.write(&b); err != nil || b.String() != "A            B\none[31m two  three\n" {
		t.Errorf("table = %q, %v", b.String(), err)
	}
}

// TestPluginsInTheWay refuses two commands of one name.
func TestPluginsInTheWay(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Factories: append(bundled.Factories(), commandPlugin(), commandPlugin())})
	if err == nil {
		t.Error("two plugins of one name are taken")
	}
	m := commandPlugin().Manifest()
	m.Name, m.Commands[0].Name = "other", "serve"
	p := start(t, Options{Factories: append(bundled.Factories(), manifestFactory(m))}, "status")
	p.wait(t, ExitFailure)
	has(t, p.stderr.String(), `plugin other: command "serve"`)
}
