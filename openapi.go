package ccproxy

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// The parts of an OpenAPI 3.1 document that endpoints give rise to (https://spec.openapis.org/oas/v3.1.1).
type apiDocument struct {
	OpenAPI    string                             `json:"openapi"`
	Info       apiInfo                            `json:"info"`
	Servers    []apiServer                        `json:"servers"`
	Tags       []apiTag                           `json:"tags"`
	Paths      map[string]map[string]apiOperation `json:"paths"`
	Components map[string]any                     `json:"components"`
}

type apiInfo struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

type apiServer struct {
	URL string `json:"url"`
}

type apiTag struct {
	Name string `json:"name"`
}

type apiOperation struct {
	OperationID string                 `json:"operationId"`
	Summary     string                 `json:"summary,omitempty"`
	Tags        []string               `json:"tags,omitempty"`
	Parameters  []apiParameter         `json:"parameters,omitempty"`
	RequestBody *apiBody               `json:"requestBody,omitempty"`
	Responses   map[string]apiResponse `json:"responses"`
	Security    []map[string][]string  `json:"security"`
}

type apiParameter struct {
	Name     string         `json:"name"`
	In       string         `json:"in"`
	Required bool           `json:"required"`
	Schema   map[string]any `json:"schema"`
}

type apiBody struct {
	Required bool                `json:"required"`
	Content  map[string]apiMedia `json:"content"`
}

type apiMedia struct {
	Schema map[string]any `json:"schema"`
}

type apiResponse struct {
	Description string              `json:"description"`
	Content     map[string]apiMedia `json:"content,omitempty"`
}

// serveOpenAPI describes exactly what is mounted, from the endpoints' declarations.
func (p *Proxy) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	live := p.live.Load()
	if live == nil {
		writeError(w, r, "", unavailable(p.state.Load()))
		return
	}
	doc := describe(live.routes.endpoints)
	doc.Servers = []apiServer{{URL: "/"}}
	if base := trimSlash(p.URLFor(r, "/")); base != "" {
		doc.Servers[0].URL = base
	}
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		exchangeFrom(r.Context()).fail(w, &Error{Message: "the description could not be written", Err: err})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no description
}

func describe(endpoints []mountedEndpoint) apiDocument {
	doc := apiDocument{
		OpenAPI: "3.1.0",
		Info: apiInfo{
			Title: "ccproxy", Version: Version,
			Description: "An LLM proxy that is put together from plugins. What answers GET answers HEAD as well.",
		},
		Paths: make(map[string]map[string]apiOperation), Components: apiComponents(),
	}
	tags, ids := make(map[string]bool), make(map[string]bool)
	for i := range endpoints {
		e := &endpoints[i]
		if doc.Paths[e.path] == nil {
			doc.Paths[e.path] = make(map[string]apiOperation)
		}
		op := e.describe()
		op.OperationID = unlike(op.OperationID, ids)
		doc.Paths[e.path][strings.ToLower(e.method())] = op
		for _, t := range e.tags {
			tags[t] = true
		}
	}
	for _, t := range slices.Sorted(maps.Keys(tags)) {
		doc.Tags = append(doc.Tags, apiTag{t})
	}
	return doc
}

func (e *mountedEndpoint) describe() apiOperation {
	op := apiOperation{
		OperationID: operationID(e.method(), e.path), Summary: e.Summary, Tags: e.tags, Security: e.security(),
		Responses: map[string]apiResponse{
			"default": {Description: "An error in the client's dialect", Content: errorContent(e.Format)},
		},
	}
	for _, m := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(e.path, -1) {
		op.Parameters = append(op.Parameters, apiParameter{
			Name: m[1], In: "path", Required: true, Schema: map[string]any{"type": "string"},
		})
	}
	object := apiMedia{Schema: map[string]any{"type": "object"}}
	ok := apiResponse{Description: "Success"}
	if e.Format != "" {
		op.RequestBody = &apiBody{Required: true, Content: map[string]apiMedia{
			"application/json": {Schema: map[string]any{"$ref": "#/components/schemas/Request"}},
		}}
		ok.Description = "A whole answer, or a stream where the request asks for one"
		ok.Content = map[string]apiMedia{
			"application/json":  object,
			"text/event-stream": {Schema: map[string]any{"type": "string"}},
		}
	}
	op.Responses["200"] = ok
	return op
}

// operationID makes "get_plugins_name_health" of GET /plugins/{name}/health.
func operationID(method, path string) string {
	id := strings.ToLower(method) + regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(path, "_")
	if strings.HasSuffix(path, "/") {
		return id + "root" // "/echo" and "/echo/" are two operations
	}
	return strings.TrimRight(id, "_")
}

// unlike numbers an id that is taken, as "/a/b" and "/a/{b}" make the same, and takes it.
func unlike(id string, taken map[string]bool) string {
	free := id
	for n := 2; taken[free]; n++ {
		free = id + "_" + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}

func (e *mountedEndpoint) security() []map[string][]string {
	if e.auth == AuthPublic {
		return []map[string][]string{}
	}
	return []map[string][]string{{"bearer": {}}, {"apiKey": {}}}
}

func errorContent(f adapters.Format) map[string]apiMedia {
	schema := "Error"
	if f == adapters.AnthropicMessages {
		schema = "AnthropicError"
	}
	return map[string]apiMedia{"application/json": {Schema: map[string]any{"$ref": "#/components/schemas/" + schema}}}
}

func apiComponents() map[string]any {
	text := map[string]any{"type": "string"}
	detail := map[string]any{
		"type": "object", "required": []string{"type", "message"},
		"properties": map[string]any{"type": text, "message": text},
	}
	return map[string]any{
		"schemas": map[string]any{
			"Request": map[string]any{
				"type":        "object",
				"description": "A request of the endpoint's dialect, of which the proxy itself reads these members",
				"properties":  map[string]any{"model": text, "stream": map[string]any{"type": "boolean"}},
			},
			"Error": map[string]any{
				"type": "object", "properties": map[string]any{"error": detail}, "required": []string{"error"},
			},
			"AnthropicError": map[string]any{
				"type": "object", "required": []string{"type", "error"},
				"properties": map[string]any{
					"type": map[string]any{"const": "error"}, "error": detail, "request_id": text,
				},
			},
		},
		"securitySchemes": map[string]any{
			"bearer": map[string]any{"type": "http", "scheme": "bearer"},
			"apiKey": map[string]any{"type": "apiKey", "in": "header", "name": "x-api-key"},
		},
	}
}
