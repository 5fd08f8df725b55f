package claudesdk

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ccproxy-go/ccproxy"
)

// ServicePermissions is the name of the service that decides which tools the CLI may use: a [Permissions].
const ServicePermissions = "permissions"

// Permissions decides whether the CLI may use one of its tools, where its own rules leave that open. It is called
// concurrently.
type Permissions interface {
	// Check returns when somebody has decided. toolUseID is the model's id of the use, or "". message is what the model
	// is told of a refusal, or "". ctx has the caller, see [ccproxy.CallerFrom]. It ends with the client's request,
	// when the CLI ends or takes its question back, and after [Config.PermissionTimeout]; an error is a refusal.
	Check(ctx context.Context, tool, toolUseID string, input json.RawMessage) (allowed bool, message string, err error)
}

// permissions returns the service, or nil where there is none.
func permissions(pc *ccproxy.PluginContext) (Permissions, error) {
	service, err := ccproxy.ServiceOf[Permissions](pc, ServicePermissions)
	if errors.Is(err, ccproxy.ErrUnknownService) {
		return nil, nil //nolint:nilnil // the configuration decides
	}
	return service, err
}

// decide answers a question of the CLI.
func (p *provider) decide(ctx context.Context, q *toolQuestion) *toolAnswer {
	allowed, message := p.config.PermissionDefault == "allow", ""
	if p.permissions != nil {
		allowed, message = p.check(ctx, q)
	}
	if !allowed {
		return denied(q, message)
	}
	input := q.Input
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	return &toolAnswer{Behavior: "allow", UpdatedInput: input}
}

// check asks the service.
func (p *provider) check(ctx context.Context, q *toolQuestion) (allowed bool, message string) {
	limited, cancel := context.WithTimeout(ctx, p.config.PermissionTimeout)
	defer cancel()
	allowed, message, err := p.permissions.Check(limited, q.ToolName, q.ToolUseID, q.Input)
	switch {
	case err == nil:
		return allowed, message
	case ctx.Err() != nil: // nobody wants to know any more
		return false, ""
	case limited.Err() != nil:
		message = "Nobody answered in time whether " + q.ToolName + " may be used."
	}
	p.logger.WarnContext(ctx, "no answer whether a tool may be used", "tool", q.ToolName, "error", err)
	return false, message
}

// denied is the answer no, for a reason if there is one.
func denied(q *toolQuestion, message string) *toolAnswer {
	if message == "" {
		message = "The use of " + q.ToolName + " was not permitted."
	}
	return &toolAnswer{Behavior: "deny", Message: message}
}
