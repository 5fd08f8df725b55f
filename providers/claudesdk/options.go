package claudesdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy"
)

// optionsHeader and optionsMember are where clients set options: a JSON object.
const (
	optionsHeader = "X-Claude-SDK-Options"
	optionsMember = "sdk_options"
)

// options are what a CLI is started with for one request or session: the configuration, and over it what a client
// may set. They name no file and no directory of this machine.
type options struct {
	AllowedTools       []string `json:"allowed_tools"`
	AppendSystemPrompt string   `json:"append_system_prompt"`
	DisallowedTools    []string `json:"disallowed_tools"`
	Effort             string   `json:"effort"`
	FallbackModel      string   `json:"fallback_model"`
	MaxBudgetUSD       float64  `json:"max_budget_usd"`
	MaxTurns           int      `json:"max_turns"`
	PermissionMode     string   `json:"permission_mode"`
	Tools              []string `json:"tools"`
}

// optionNames are the options that clients can be allowed to set.
func optionNames() []string {
	return []string{
		"allowed_tools", "append_system_prompt", "disallowed_tools", "effort", "fallback_model", "max_budget_usd",
		"max_turns", "permission_mode", "tools",
	}
}

// options are those of the configuration.
func (c *Config) options() options {
	return options{
		AllowedTools: slices.Clone(c.AllowedTools), DisallowedTools: slices.Clone(c.DisallowedTools),
		MaxBudgetUSD: c.MaxBudgetUSD, MaxTurns: c.MaxTurns, PermissionMode: c.PermissionMode,
		Tools: slices.Clone(c.Tools),
	}
}

// clientOptions are the options of a request. What a client may not set is refused, and not ignored: it would rely
// on it. Where the configuration denies tools or sets a bound, a client can only deny more and do with less.
func (c *Config) clientOptions(body json.RawMessage, header http.Header) (options, error) {
	opts := c.options()
	for _, source := range []struct{ name, text string }{
		{optionsMember, string(body)}, {optionsHeader, header.Get(optionsHeader)},
	} {
		if source.text == "" || source.text == "null" {
			continue
		}
		if err := c.readOptions(&opts, source.name, []byte(source.text)); err != nil {
			return options{}, err
		}
	}
	opts.DisallowedTools = append(slices.Clone(c.DisallowedTools), opts.DisallowedTools...)
	slices.Sort(opts.DisallowedTools)
	opts.DisallowedTools = slices.Compact(opts.DisallowedTools)
	if c.MaxTurns > 0 && (opts.MaxTurns <= 0 || opts.MaxTurns > c.MaxTurns) {
		opts.MaxTurns = c.MaxTurns
	}
	if c.MaxBudgetUSD > 0 && (opts.MaxBudgetUSD <= 0 || opts.MaxBudgetUSD > c.MaxBudgetUSD) {
		opts.MaxBudgetUSD = c.MaxBudgetUSD
	}
	if err := opts.check(); err != nil {
		return options{}, err
	}
	return opts, nil
}

func (c *Config) readOptions(opts *options, where string, text []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(text, &given); err != nil {
		return invalid(where, "must be a JSON object")
	}
	for name := range given {
		if !slices.Contains(optionNames(), name) {
			return invalid(where+"."+name, "there is no such option")
		}
		if !slices.Contains(c.ClientOptions, name) {
			return &ccproxy.Error{
				Status: http.StatusForbidden, Param: where + "." + name,
				Message: where + "." + name + ": clients may not set this option",
			}
		}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields() // which also are names in the wrong case
	if err := dec.Decode(opts); err != nil {
		return invalid(where, "an option has a value of the wrong kind")
	}
	return nil
}

// check finds values that the CLI would take for something else.
func (o *options) check() error {
	texts := []string{o.Effort, o.FallbackModel, o.PermissionMode}
	for _, list := range [][]string{o.AllowedTools, o.DisallowedTools, o.Tools} {
		for _, rule := range list {
			if strings.Contains(rule, ",") && !strings.Contains(rule, "(") || rule == "" {
				return invalid(optionsMember, "a rule for tools is one rule")
			}
		}
		texts = append(texts, list...)
	}
	for _, text := range texts {
		if strings.ContainsAny(text, "\x00\n\r") || len(text) > maxOption {
			return invalid(optionsMember, "a value is too long or has control characters")
		}
	}
	return nil
}

const maxOption = 1 << 10

// arguments are those of the CLI. Each value is in one argument with its name, so that none is taken for another.
func (o *options) arguments() []string {
	var args []string
	add := func(name, value string) {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	add("allowedTools", strings.Join(o.AllowedTools, ","))
	add("disallowedTools", strings.Join(o.DisallowedTools, ","))
	add("effort", o.Effort)
	add("fallback-model", o.FallbackModel)
	add("permission-mode", o.PermissionMode)
	if o.MaxTurns > 0 {
		add("max-turns", strconv.Itoa(o.MaxTurns))
	}
	if o.MaxBudgetUSD > 0 {
		add("max-budget-usd", strconv.FormatFloat(o.MaxBudgetUSD, 'f', -1, 64))
	}
	if o.Tools != nil {
		args = append(args, "--tools="+strings.Join(o.Tools, ","))
	}
	return args
}

// invalid is the error for a part of a request.
func invalid(param, format string, args ...any) *ccproxy.Error {
	return &ccproxy.Error{
		Status: http.StatusBadRequest, Param: param, Message: param + ": " + fmt.Sprintf(format, args...),
	}
}
