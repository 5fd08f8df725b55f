package codex

// Config is the plugin's configuration.
type Config struct {
	// ClientID is the client that users log in to. Defaults to that of the Codex CLI.
	ClientID string `toml:"client_id" validate:"required"`
	// Scopes are what is asked for.
	Scopes []string `toml:"scopes" validate:"dive,required"`
	// AuthorizeURL and TokenURL are OpenAI's endpoints.
	AuthorizeURL string `toml:"authorize_url" validate:"required,http_url"`
	TokenURL     string `toml:"token_url" validate:"required,http_url"`
	// RevocationURL is an endpoint of RFC 7009. OpenAI documents none; without it a logout deletes only.
	RevocationURL string `toml:"revocation_url" validate:"omitempty,http_url"`
	// LoopbackURI is where a browser on this machine comes back to.
	LoopbackURI string `toml:"loopback_uri" validate:"required,http_url"`
	// AuthParams are added to the address that users log in at.
	AuthParams map[string]string `toml:"auth_params"`
	// PublicRedirect tells that the client is registered with the proxy's own callback, so that users who log in at
	// the proxy's pages are sent back there. The client of the Codex CLI is not.
	PublicRedirect bool `toml:"public_redirect"`
	// Store is where the credentials are kept: "memory", which is the application's store where it has given one, or
	// "file", which is a file of the Codex CLI.
	Store string `toml:"store" validate:"oneof=memory file"`
	// Path is the file, such as "/home/me/.codex/auth.json". Required with a file.
	Path string `toml:"path" validate:"required_if=Store file"`
	// AllowExposed has the file used although others may read it, for file systems that know no modes. Off by default:
	// the file's mode has to be 0600.
	AllowExposed bool `toml:"allow_exposed"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		ClientID:     "app_EMoamEEZ73f0CkXaXp7hrann",
		Scopes:       []string{"openid", "profile", "email", "offline_access"},
		AuthorizeURL: "https://auth.openai.com/oauth/authorize",
		TokenURL:     "https://auth.openai.com/oauth/token",
		LoopbackURI:  "http://localhost:1455/auth/callback",
		AuthParams:   map[string]string{"id_token_add_organizations": "true"},
		Store:        "memory",
	}
}
