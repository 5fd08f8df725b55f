package claudesdk

import "time"

// How what the CLI does by itself is shown to clients.
const (
	modeForward   = "forward"
	modeIgnore    = "ignore"
	modeFormatted = "formatted"
)

// Config is the plugin's configuration.
type Config struct {
	// CLIPath is the program. Defaults to the claude that is found in PATH.
	CLIPath string `toml:"cli_path"`
	// Cwd is the directory that the CLI works in. Defaults to a new, empty one, which is removed in the end.
	Cwd string `toml:"cwd"`
	// Env is added to the CLI's environment, such as ANTHROPIC_API_KEY or CLAUDE_CONFIG_DIR, and counts more than all
	// else that is in there.
	Env map[string]string `toml:"env"`
	// PassEnv are names of further variables of this process that the CLI gets; a name may end in "*". It always gets
	// what programs need to run, such as HOME and PATH, and ANTHROPIC_*.
	PassEnv []string `toml:"pass_env" validate:"dive,required"`
	// Models are listed. Defaults to "opus", "sonnet" and "haiku". The CLI is asked for any model that a client names.
	Models []string `toml:"models" validate:"dive,required"`
	// MessageMode says how the CLI's own use of tools is shown: "formatted" as text in tags, "forward" as blocks of
	// types of their own, "ignore" not at all. Defaults to formatted.
	MessageMode string `toml:"message_mode" validate:"oneof=formatted forward ignore"`
	// IncludeSystemMessages shows the CLI's system messages as well, unless MessageMode is ignore.
	IncludeSystemMessages bool `toml:"include_system_messages"`
	// SystemPrompt is the system prompt of requests that have none. Defaults to the CLI's own.
	SystemPrompt string `toml:"system_prompt"`
	// SystemPromptMode says what becomes of the system prompt of a request: "replace" puts it in the place of the CLI's
	// own, "append" behind that. Defaults to replace.
	SystemPromptMode string `toml:"system_prompt_mode" validate:"oneof=replace append"`
	// Tools are the tools of the CLI that there are; an empty list stands for none. Defaults to the CLI's own choice.
	Tools []string `toml:"tools" validate:"dive,required"`
	// AllowedTools and DisallowedTools are rules such as "Bash(git *)" for what is allowed and denied without asking.
	AllowedTools    []string `toml:"allowed_tools" validate:"dive,required"`
	DisallowedTools []string `toml:"disallowed_tools" validate:"dive,required"`
	// PermissionMode is the CLI's: default, acceptEdits, plan, dontAsk, auto or bypassPermissions. Defaults to default.
	PermissionMode string `toml:"permission_mode"`
	// PermissionDefault answers the CLI's questions whether it may use a tool where no plugin provides the service
	// permissions: "deny" or "allow". Defaults to deny.
	PermissionDefault string `toml:"permission_default" validate:"oneof=deny allow"`
	// PermissionTimeout is how long the service may take for an answer; then it is no. Defaults to a minute.
	PermissionTimeout time.Duration `toml:"permission_timeout" validate:"gte=1000000000,lte=3600000000000"`
	// MCPConfig is a path or a JSON object with the MCP servers that the CLI uses. Defaults to none.
	MCPConfig string `toml:"mcp_config"`
	// SettingSources are the settings files that the CLI reads: user, project and local. Defaults to none.
	SettingSources []string `toml:"setting_sources" validate:"dive,oneof=user project local"`
	// ExtraArgs are further arguments of the CLI.
	ExtraArgs []string `toml:"extra_args"`
	// ClientOptions are the options that clients may set: allowed_tools, append_system_prompt, disallowed_tools,
	// effort, fallback_model, max_budget_usd, max_turns, permission_mode and tools. Defaults to effort, max_budget_usd
	// and max_turns.
	ClientOptions []string `toml:"client_options"`
	// MaxTurns and MaxBudgetUSD bound what the CLI does for one request. Zero means no bound.
	MaxTurns     int     `toml:"max_turns" validate:"gte=0"`
	MaxBudgetUSD float64 `toml:"max_budget_usd" validate:"gte=0"`
	// DefaultSessionID is the session of requests that name none. Defaults to none: their CLI ends with the answer.
	DefaultSessionID string `toml:"default_session_id" validate:"max=256"`
	// SessionPool says how the CLIs of sessions are kept between requests.
	SessionPool PoolConfig `toml:"session_pool"`
}

// PoolConfig is the part of the configuration that is about sessions.
type PoolConfig struct {
	// Disabled ends each CLI with its answer.
	Disabled bool `toml:"disabled"`
	// SessionTTL is how long a CLI is used at most. Defaults to an hour.
	SessionTTL time.Duration `toml:"session_ttl" validate:"gte=1000000000,lte=86400000000000"`
	// IdleThreshold is how long a CLI is kept without a request. Defaults to ten minutes.
	IdleThreshold time.Duration `toml:"idle_threshold" validate:"gte=1000000000,lte=7200000000000"`
	// MaxSessions is the number of CLIs at one time, at work and kept. Past it the one that was used the longest ago is
	// ended; are all at work, requests are refused with 529. Defaults to 32.
	MaxSessions int `toml:"max_sessions" validate:"gte=1,lte=10000"`
	// StreamFirstChunkTimeout is how long a CLI may take to start, and to begin with an answer. Defaults to 30 seconds.
	StreamFirstChunkTimeout time.Duration `toml:"stream_first_chunk_timeout" validate:"gte=1000000,lte=600000000000"`
	// StreamOngoingTimeout is how long a CLI may be silent within an answer while no tool of its own runs or is asked
	// for. Defaults to two minutes.
	StreamOngoingTimeout time.Duration `toml:"stream_ongoing_timeout" validate:"gte=1000000,lte=3600000000000"`
	// StreamInterruptTimeout is how long a CLI may take to stop when its client has gone away; then it is killed.
	// Defaults to ten seconds.
	StreamInterruptTimeout time.Duration `toml:"stream_interrupt_timeout" validate:"gte=1000000,lte=60000000000"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		Models: []string{"opus", "sonnet", "haiku"}, MessageMode: modeFormatted, SystemPromptMode: "replace",
		PermissionDefault: "deny", PermissionTimeout: time.Minute,
		ClientOptions: []string{"effort", "max_budget_usd", "max_turns"},
		SessionPool: PoolConfig{
			SessionTTL: time.Hour, IdleThreshold: 10 * time.Minute, MaxSessions: 32,
			StreamFirstChunkTimeout: 30 * time.Second, StreamOngoingTimeout: 2 * time.Minute,
			StreamInterruptTimeout: 10 * time.Second,
		},
	}
}
