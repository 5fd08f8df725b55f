// Package bundled lists the plugins that ship with ccproxy. An application that wants them all registers them with
//
//	err := registry.Register(bundled.Factories()...)
//
// and one that wants a few registers those, so that it links nothing else.
package bundled

import (
	"github.com/ccproxy-go/ccproxy"
	oauthclaude "github.com/ccproxy-go/ccproxy/oauth/claude"
	oauthcodex "github.com/ccproxy-go/ccproxy/oauth/codex"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
	"github.com/ccproxy-go/ccproxy/system/balancer"
	"github.com/ccproxy-go/ccproxy/system/budgets"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
	"github.com/ccproxy-go/ccproxy/system/maxtokens"
	"github.com/ccproxy-go/ccproxy/system/pricing"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

// Factories returns a new slice of the factories of all plugins of this module.
func Factories() []ccproxy.Factory {
	return []ccproxy.Factory{
		accesslog.Factory(),
		balancer.AliasFactory(),
		balancer.Factory(),
		budgets.Factory(),
		claudeapi.Factory(),
		claudesdk.Factory(),
		codex.Factory(),
		commandreplay.Factory(),
		dashboard.Factory(),
		echo.Factory(),
		maxtokens.Factory(),
		oauthclaude.Factory(),
		oauthcodex.Factory(),
		openaicompat.Factory(),
		pricing.Factory(),
		requesttracer.AliasFactory(),
		requesttracer.Factory(),
	}
}
