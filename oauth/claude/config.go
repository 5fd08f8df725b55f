package claude

// Config is the plugin's configuration.
type Config struct {
	// ClientID is the client that users log in to. Defaults to that of Anthropic's command line.
	ClientID string `toml:"client_id" validate:"required"`
	// Scopes are what is asked for.
	Scopes []string `toml:"scopes" validate:"dive,required"`
	// AuthorizeURL, TokenURL and ProfileURL are Anthropic's endpoints. An empty ProfileURL asks for no profile.
	AuthorizeURL string `toml:"authorize_url" validate:"required,http_url"`
	TokenURL     string `toml:"token_url" validate:"required,http_url"`
	ProfileURL   string `toml:"profile_url" validate:"omitempty,http_url"`
	// RevocationURL is an endpoint of RFC 7009. Anthropic documents none; without it a logout deletes only.
	RevocationURL string `toml:"revocation_url" validate:"omitempty,http_url"`
	// LoopbackURI is where a browser on this machine comes back to, and ManualURI a page that shows the user a code.
	LoopbackURI string `toml:"loopback_uri" validate:"omitempty,http_url"`
	ManualURI   string `toml:"manual_uri" validate:"omitempty,http_url"`
	// PublicRedirect tells that the client is registered with the proxy's own callback, so that users who log in at
	// the proxy's pages are sent back there. The client of Anthropic's command line is not.
	PublicRedirect bool `toml:"public_redirect"`
	// Store is where the credentials are kept: "memory", which is the application's store where it has given one, or
	// "file", which is a file of Anthropic's command line.
	Store string `toml:"store" validate:"oneof=memory file"`
	// Path is the file, such as "/home/me/.claude/.credentials.json". Required with a file.
	Path string `toml:"path" validate:"required_if=Store file"`
	// AllowExposed has the file used although others may read it, for file systems that know no modes. Off by default:
	// the file's mode has to be 0600.
	AllowExposed bool `toml:"allow_exposed"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() *Config {
	return &Config{
		ClientID:     "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
		Scopes:       []string{"org:create_api_key", "user:profile", "user:inference"},
		AuthorizeURL: "https://claude.ai/oauth/authorize",
		TokenURL:     "https://console.anthropic.com/v1/oauth/token",
		ProfileURL:   "https://api.anthropic.com/api/oauth/profile",
		LoopbackURI:  "http://localhost:54545/callback",
		ManualURI:    "https://console.anthropic.com/oauth/code/callback",
		Store:        "memory",
	}
}
