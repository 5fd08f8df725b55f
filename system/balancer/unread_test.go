package balancer_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// A stream that ends before it has said anything is nothing that speaks for its account.
func TestEmptyStreamIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]providertest.Reply{
		"ends":   providertest.Stream(),
		"breaks": providertest.Stream(providertest.Bytes(": hello\n\nevent: mess"), providertest.Reset()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"one"}, nil)
				defer r.stop(t)
				for _, step := range []struct {
					reply  providertest.Reply
					status int
				}{{refusal(401), 401}, {reply, 502}, {refusal(401), 401}} {
					r.reply("one", step.reply)
					w := r.call(t, http.MethodPost, "/claude/v1/messages", message[:1]+`"stream":true,`+message[1:])
					if w.Code != step.status {
						t.Errorf("%d %s, want %d", w.Code, w.Body, step.status)
					}
				}
				if s := r.states(t)[0]; s.State != "cooling" {
					t.Errorf("refused twice: %+v", s)
				}
			})
		})
	}
}
