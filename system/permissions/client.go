package permissions

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

const (
	// maxEvent bounds an event of the stream: an input three times, escaped.
	maxEvent = 32 << 20
	maxReply = 64 << 10
	// silence is how long the stream may say nothing before it is taken for dead: three pings.
	silence = 3 * pingEvery
	// answerTime bounds the sending of an answer.
	answerTime = 15 * time.Second
)

// client talks to the routes of a running proxy.
type client struct {
	base string
	key  ccproxy.Secret
	http *http.Client
}

// statusError is an answer other than expected.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string {
	if e.message != "" {
		return fmt.Sprintf("the proxy answers %d: %s", e.status, e.message)
	}
	return fmt.Sprintf("the proxy answers %d", e.status)
}

// final tells whether trying again is of no use.
func (e *statusError) final() bool {
	return e.status >= 300 && e.status < 500 && e.status != http.StatusTooManyRequests
}

func (c *client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if !c.key.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var reply struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err == nil {
		_ = json.Unmarshal(text, &reply) // a status without words is told without words
	}
	return nil, &statusError{resp.StatusCode, Plain(reply.Error.Message)}
}

// respond sends an answer.
func (c *client) respond(ctx context.Context, id string, allow bool) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body := []byte(`{"allowed":false}`)
	if allow {
		body = []byte(`{"allowed":true}`)
	}
	resp, err := c.do(ctx, http.MethodPost, "/permissions/"+url.PathEscape(id)+"/respond", body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// note is an event of the stream.
type note struct {
	kind string
	data []byte
}

// stream calls told for the events of one connection, as long as it lasts.
func (c *client) stream(ctx context.Context, told func(note)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/permissions/stream", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	lines := bufio.NewReader(resp.Body)
	var n note
	for {
		line, err := nextLine(lines, maxEvent)
		if err != nil {
			return err
		}
		dead.Reset(silence)
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			n.kind = string(value)
		case "data":
			n.data = append(n.data, value...)
		case "":
			if len(line) == 0 && n.kind != "" {
				told(n)
				n = note{}
			}
		}
	}
}

// errLongLine tells of a line beyond its limit.
var errLongLine = errors.New("a line is too long")

// nextLine returns the next line without its end. A last one that has no end is left out.
func nextLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > limit:
			return nil, errLongLine
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
