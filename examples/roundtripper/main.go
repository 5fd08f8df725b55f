// Command roundtripper uses the proxy from within its own process: an http.Client whose requests never see a network.
// Any SDK that takes an http.Client can be given it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

func main() {
	if err := run(context.Background(), "Hello from the same process", os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run asks a question and writes the answer while it arrives.
func run(ctx context.Context, question string, out io.Writer) (err error) {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		return err
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		return err
	}
	if err := proxy.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proxy.Shutdown(context.WithoutCancel(ctx))) }()
	client := &http.Client{Transport: proxy.Transport()}
	return ask(ctx, client, question, out)
}

func ask(ctx context.Context, client *http.Client, question string, out io.Writer) error {
	body, err := json.Marshal(map[string]any{
		"model": "echo-1", "max_tokens": 256, "stream": true,
		"messages": []any{map[string]string{"role": "user", "content": question}},
	})
	if err != nil {
		return err
	}
	const address = "http://ccproxy/echo/v1/messages" // its host does not matter, its path does
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answered %s", resp.Status)
	}
	return copyText(out, resp.Body)
}

// copyText writes the text of an event stream, piece by piece.
func copyText(out io.Writer, events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var event struct {
			Delta struct {
				Text string `json:"text"`
			} `json:"delta"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return err
		}
		if _, err := io.WriteString(out, event.Delta.Text); err != nil {
			return err
		}
	}
}
