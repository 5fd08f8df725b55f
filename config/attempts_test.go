package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/config"
)

func TestAttemptKeys(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		t.Fatal(err)
	}
	path := write(t, `
[retries]
max = 1
base_delay = "250ms"

[retries.providers.echo]
max = 2
statuses = [429, 500]
max_delay = 5
budget = 0.05

[breakers]
failures = 5
cooldown = 10

[breakers.providers.echo]
failures = 3
probes = 2

[[fallbacks]]
match = "gpt-"
kind = "prefix"
targets = ["echo/echo-1"]
balance = "sticky"
`)
	f, err := config.Load(&reg, config.Options{Path: path, Environ: []string{"RETRIES__MAX=3"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Build(f.Settings); err != nil {
		t.Errorf("Build: %v", err)
	}
	got := ccproxy.Settings{Retries: f.Settings.Retries, Breakers: f.Settings.Breakers, Fallbacks: f.Settings.Fallbacks}
	want := ccproxy.Settings{
		Retries: ccproxy.Retries{
			RetryPolicy: ccproxy.RetryPolicy{Max: 3, BaseDelay: 250 * time.Millisecond},
			Providers: map[string]ccproxy.RetryPolicy{
				"echo": {Max: 2, Statuses: []int{429, 500}, MaxDelay: 5 * time.Second, Budget: 0.05},
			},
		},
		Breakers: ccproxy.Breakers{
			BreakerPolicy: ccproxy.BreakerPolicy{Failures: 5, Cooldown: 10 * time.Second},
			Providers:     map[string]ccproxy.BreakerPolicy{"echo": {Failures: 3, Probes: 2}},
		},
		Fallbacks: []ccproxy.Fallback{
			{Match: "gpt-", Kind: "prefix", Targets: []string{"echo/echo-1"}, Balance: "sticky"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestAttemptMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"retries", "[retries]\nmax = 11\n", "2:7: retries.max: must be at most 10"},
		{"status", "[retries.providers.echo]\nstatuses = [200]\n", "2:13: retries.providers.echo.statuses[0]: must be at least 400"},
		{"budget", "[retries]\nbudget = 2.0\n", "2:10: retries.budget: must be at most 1"},
		{"breaker", "[breakers]\nfailures = -1\n", "2:12: breakers.failures: must be at least 0"},
		{"no targets", "[[fallbacks]]\nmatch = \"m\"\n", "fallbacks[0].targets: must be set"},
		{
			"balance", "[[fallbacks]]\nmatch = \"m\"\ntargets = [\"echo/m\"]\nbalance = \"x\"\n",
			"4:11: fallbacks[0].balance: must be one of",
		},
		{"unknown key", "[breakers]\nfailure = 1\n", `breakers.failure: unknown key (did you mean "failures"?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(bundled.Factories()...); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(&reg, config.Options{Path: write(t, tt.file), Environ: []string{}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load = %v, want %q", err, tt.want)
			}
		})
	}
}
