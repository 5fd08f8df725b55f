package config_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// wide is a configuration with a key of every kind.
type wide struct {
	Shared `toml:",squash"`

	Flag      bool           `toml:"flag"`
	Count     int            `toml:"count" validate:"gte=0"`
	Small     int8           `toml:"small"`
	Size      uint16         `toml:"size"`
	Ratio     float64        `toml:"ratio"`
	Name      string         `toml:"name" validate:"required,max=40"`
	Mode      string         `toml:"mode" validate:"oneof=slow fast"`
	Wait      time.Duration  `toml:"wait" validate:"gte=0,lte=3600000000000"`
	Token     ccproxy.Secret `toml:"token"`
	Tags      []string       `toml:"tags" validate:"max=3,dive,required"`
	Numbers   []int          `toml:"numbers"`
	Pair      [2]int         `toml:"pair"`
	Nested    nested         `toml:"nested"`
	Optional  *nested        `toml:"optional"`
	Items     []nested       `toml:"items" validate:"dive"`
	Instances map[string]nested
	Labels    map[string]string
	Since     time.Time
	Extra     any
	BaseURL   string `validate:"omitempty,http_url"`
	hidden    int    //nolint:unused // nobody may set it
	Ignored   string `toml:"-"`
}

type nested struct {
	Deep  int            `toml:"deep" validate:"lte=100"`
	Key   ccproxy.Secret `toml:"key"`
	Inner *nested        `toml:"inner"`
}

// Shared is squashed into wide.
type Shared struct {
	Region string `toml:"region"`
}

func wideDefaults() *wide {
	return &wide{
		Flag: true, Count: 1, Small: 1, Size: 1, Ratio: 1, Name: "default", Mode: "slow", Wait: time.Second,
		Token: ccproxy.NewSecret("default"), Tags: []string{"default"}, Numbers: []int{1}, Nested: nested{Deep: 1},
		Items: []nested{{Deep: 1}, {Deep: 2}}, Labels: map[string]string{"a": "default"}, Shared: Shared{"default"},
	}
}

// suite is a registry with the plugins wide and plain, and what wide was last configured with.
type suite struct {
	registry ccproxy.Registry
	mu       sync.Mutex
	last     *wide
	refuse   error // what Configure returns
}

func newSuite(t testing.TB, more ...ccproxy.Factory) *suite {
	t.Helper()
	s := new(suite)
	configure := func(cfg any, _ *ccproxy.Manifest) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last = cfg.(*wide)
		return s.refuse
	}
	err := s.registry.Register(append(more,
		ccproxy.NewFactory(ccproxy.Manifest{
			Name: "wide", Config: ccproxy.ConfigFor(wideDefaults), Configure: configure,
		}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "plain"}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "spare", DefaultOff: true, Config: ccproxy.ConfigFor[spare](nil)}, nil),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spare is a configuration that is not complete without its key.
type spare struct {
	APIKey ccproxy.Secret `validate:"required"`
}

// built returns what wide gets when the settings are built, which must not disagree with Load.
func (s *suite) built(t *testing.T, f *config.File) *wide {
	t.Helper()
	if _, err := s.registry.Build(f.Settings); err != nil {
		t.Fatalf("Build refuses what Load returned: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// noEnviron is an environment without variables; nil would be the one of the tests.
func noEnviron() []string { return []string{} }

// write puts a file into a new directory and returns its path.
func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ccproxy.toml")
	overwrite(t, path, content)
	return path
}

func overwrite(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
