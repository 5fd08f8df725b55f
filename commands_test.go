package ccproxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

func commandProxy(t *testing.T) *ccproxy.Proxy {
	t.Helper()
	run := func(*ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
		return func(_ context.Context, inv ccproxy.Invocation) error {
			switch inv.Flags["do"] {
			case "panic":
				panic("told so")
			case "fail":
				return errors.New("told so")
			}
			_, err := fmt.Fprint(inv.Stdout, inv.Args, inv.Flags)
			return err
		}, nil
	}
	options := []ccproxy.CommandOption{{Name: "do", Default: "print"}, {Name: "loud", Switch: true}}
	var reg ccproxy.Registry
	err := reg.Register(ccproxy.NewFactory(ccproxy.Manifest{
		Name: "tool", CLISafe: true,
		Commands:     []ccproxy.CommandSpec{{Name: "show", Options: options, New: run}},
		AuthCommands: []ccproxy.AuthCommandSpec{{Name: "whoami", New: run}},
	}, nil), ccproxy.NewFactory(ccproxy.Manifest{Name: "heavy"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func TestRunCommand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		plugin  string
		command string
		flags   map[string]string
		want    string
		err     string
		kind    error
	}{
		{name: "defaults", plugin: "tool", command: "show", want: "[a b] map[do:print loud:false]"},
		{
			name: "given", plugin: "tool", command: "show", flags: map[string]string{"do": "x", "loud": "true"},
			want: "[a b] map[do:x loud:true]",
		},
		{name: "auth command", plugin: "tool", command: "whoami", want: "[a b] map[]"},
		{
			name: "unknown option", plugin: "tool", command: "show", flags: map[string]string{"lud": "true"},
			err: `plugin tool: command show: option lud: unknown (did you mean "loud"?)`,
		},
		{
			name: "switch with a value", plugin: "tool", command: "show", flags: map[string]string{"loud": "very"},
			err: "plugin tool: command show: option loud: must be true or false",
		},
		{
			name: "unknown command", plugin: "tool", command: "shaw", kind: ccproxy.ErrUnknownCommand,
			err: "plugin tool: command shaw: unknown command",
		},
		{
			name: "unknown plugin", plugin: "tol", command: "show", kind: ccproxy.ErrUnknownPlugin,
			err: "plugin tol: command show: unknown plugin",
		},
		{
			name: "not started", plugin: "heavy", command: "show", kind: ccproxy.ErrState,
			err: "plugin heavy: command show: plugin is loaded: wrong state",
		},
		{
			name: "panic", plugin: "tool", command: "show", flags: map[string]string{"do": "panic"},
			kind: ccproxy.ErrPanic, err: "plugin tool: command show: panic: value of type string",
		},
		{
			name: "failure", plugin: "tool", command: "show", flags: map[string]string{"do": "fail"},
			err: "plugin tool: command show: told so",
		},
	}
	proxy := commandProxy(t)
	if err := proxy.StartOnly(t.Context(), "tool"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			inv := ccproxy.Invocation{Args: []string{"a", "b"}, Flags: tt.flags, Stdout: &out}
			err := proxy.RunCommand(t.Context(), tt.plugin, tt.command, inv)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.err, got); diff != "" {
				t.Errorf("RunCommand error mismatch (-want +got):\n%s", diff)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("RunCommand error %v is not %v", err, tt.kind)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("RunCommand output mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
