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
	// Check returns when somebody has decided. message is what the model is told of a refusal, or "". ctx ends with the
	// client's request and after [Config.PermissionTimeout]; an error is a refusal.
	Check(ctx context.Context, tool string, input json.RawMessage) (allowed bool, message string, err error)
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
		ctx, cancel := context.WithTimeout(ctx, p.config.PermissionTimeout)
		defer cancel()
		var err error
		if allowed, message, err = p.permissions.Check(ctx, q.ToolName, q.Input); err != nil {
			p.logger.WarnContext(ctx, "no answer whether a tool may be used", "tool", q.ToolName, "error", err)
			allowed = false
		}
	}
	if allowed {
		input := q.Input
		if len(input) == 0 {
			input = json.RawMessage("{}")
		}
		return &toolAnswer{Behavior: "allow", UpdatedInput: input}
	}
	if message == "" {
		message = "The use of " + q.ToolName + " was not permitted."
	}
	return &toolAnswer{Behavior: "deny", Message: message}
}
