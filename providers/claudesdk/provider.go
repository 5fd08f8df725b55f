package claudesdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// provider answers with CLIs.
type provider struct {
	config      *Config
	path        string // of the CLI
	logger      *slog.Logger
	permissions Permissions // nil where the configuration decides
	pool        *pool
	dir         func() (string, error) // the directory that the CLIs work in
	spawn       func(name string, fn func(context.Context))
}

var _ ccproxy.Provider = (*provider)(nil)

// Models implements [ccproxy.Provider].
func (p *provider) Models(context.Context) ([]ccproxy.Model, error) {
	list := make([]ccproxy.Model, 0, len(p.config.Models))
	for _, id := range p.config.Models {
		list = append(list, ccproxy.Model{ID: id, OwnedBy: "anthropic"})
	}
	return list, nil
}

// job is one request, ready for a CLI.
type job struct {
	conversation *conversation
	launch       launch
	key, owner   string
}

// Do implements [ccproxy.Provider]. The CLI is started when the answer is read, so that an answer that nobody reads
// leaves nothing behind.
func (p *provider) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	if call.Operation != ccproxy.OpGenerate {
		return nil, ccproxy.ErrUnsupported
	}
	j, err := p.prepare(call)
	if err != nil {
		return nil, err
	}
	if err := call.Lose(j.conversation.lost...); err != nil {
		return nil, err
	}
	return &ccproxy.Answer{
		Format: adapters.AnthropicMessages, Header: http.Header{"X-Claude-Sdk-Response": {"true"}},
		Events: func(yield func(adapters.Event, error) bool) { p.answer(ctx, j, yield) },
	}, nil
}

// prepare reads a request. It keeps nothing of the call's memory.
func (p *provider) prepare(call *ccproxy.Call) (*job, error) {
	c, err := readRequest(call.Body)
	if err != nil {
		return nil, err
	}
	opts, err := p.config.clientOptions(c.options, call.Header)
	if err != nil {
		return nil, err
	}
	model := call.Model
	switch {
	case model == "":
		return nil, invalid("model", "Field required")
	case len(model) > maxOption, strings.ContainsAny(model, "\x00\r\n"):
		return nil, invalid("model", "is too long or has control characters")
	}
	j := &job{conversation: c, launch: launch{path: p.path}}
	l := &j.launch
	// Of two equal arguments the last counts, so that a client's effort wins over that of its request.
	l.args = slices.Concat(p.config.arguments(), []string{"--model=" + model}, c.args, opts.arguments())
	l.env = lastOfEach(append(p.config.environment(), c.env...))
	l.system, l.appendSystem = c.system, opts.AppendSystemPrompt
	switch {
	case len(c.system) == 0 && p.config.SystemPrompt != "":
		l.system = []string{p.config.SystemPrompt}
	case p.config.SystemPromptMode == "append":
		texts := slices.Clone(c.system)
		if l.appendSystem != "" {
			texts = append(texts, l.appendSystem)
		}
		l.system, l.appendSystem = nil, strings.Join(texts, "\n\n")
	}
	if session := sessionOf(p.config, call); session != "" {
		j.owner = call.Caller.ID + "\x00" + session
	}
	j.key, err = keyOf(j.owner, l)
	return j, err
}

// sessionOf is what the client calls its conversation.
func sessionOf(c *Config, call *ccproxy.Call) string {
	if call.Session != "" {
		return call.Session
	}
	return c.DefaultSessionID
}

// keyOf stands for all that a CLI is started for: one caller's CLI is never another's.
func keyOf(owner string, l *launch) (string, error) {
	data, err := json.Marshal([]any{owner, l.args, l.env, l.system, l.appendSystem})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
