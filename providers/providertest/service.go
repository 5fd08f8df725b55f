package providertest

import (
	"net/http"
	"strings"
)

// DefaultText is what the default message says.
const DefaultText = "Hello! How can I help you today?"

// The paths at which the three formats are asked for a message.
const (
	messagesPath  = "/v1/messages"
	chatPath      = "/v1/chat/completions"
	responsesPath = "/v1/responses"
)

// serveDefault behaves like the service: routes, then credentials, then the request itself.
func (u *Upstream) serveDefault(w http.ResponseWriter, r *http.Request) {
	serve := u.route(r)
	switch {
	case serve == nil:
		Error(http.StatusNotFound, "not_found_error", "Not Found", nil)(w, r)
	case r.Header.Get("X-Api-Key") == "" && r.Header.Get("Authorization") == "":
		Error(http.StatusUnauthorized, "authentication_error", "x-api-key header is required", nil)(w, r)
	case r.Header.Get("Anthropic-Version") == "":
		invalid("anthropic-version: header is required")(w, r)
	default:
		serve(w, r)
	}
}

// route returns what answers r, nil if there is no such endpoint.
func (u *Upstream) route(r *http.Request) Reply {
	switch r.Method + " " + r.URL.Path {
	case "POST " + messagesPath:
		return serveMessages
	case "POST " + messagesPath + "/count_tokens":
		return serveCountTokens
	case "GET " + modelsPath:
		return u.serveModels
	}
	if strings.HasPrefix(r.URL.Path, modelsPath+"/") && r.Method == http.MethodGet {
		return u.serveModel
	}
	return nil
}

func invalid(message string) Reply {
	return Error(http.StatusBadRequest, "invalid_request_error", message, nil)
}

func serveMessages(w http.ResponseWriter, r *http.Request) {
	req := decodeRequest(r)
	complaint := req.complaint()
	if complaint == "" && req.MaxTokens == nil {
		complaint = "max_tokens: Field required"
	}
	if complaint != "" {
		invalid(complaint)(w, r)
		return
	}
	req.reply()(w, r)
}

func serveCountTokens(w http.ResponseWriter, r *http.Request) {
	req := decodeRequest(r)
	if complaint := req.complaint(); complaint != "" {
		invalid(complaint)(w, r)
		return
	}
	type count struct {
		Input int `json:"input_tokens"`
	}
	writeJSON(w, r, http.StatusOK, nil, count{req.tokens()})
}
