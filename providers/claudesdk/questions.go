package claudesdk

import "context"

// maxQuestions bounds how many tools a CLI may ask for at the same time; more are refused.
const maxQuestions = 64

// questions are those of a CLI that wait for an answer in one turn. One goroutine uses them. Each is decided on one of
// its own, so that the CLI is heard meanwhile: it may ask for other tools, take a question back, or die.
type questions struct {
	open    map[string]*question
	decided chan decision
}

// question is one of them.
type question struct {
	id     string // of the CLI's request
	cancel context.CancelFunc
}

// decision is the answer to a question.
type decision struct {
	question *question
	answer   *toolAnswer
}

func newQuestions() *questions {
	return &questions{open: make(map[string]*question), decided: make(chan decision)}
}

// put has a question decided. One that is there already is not put again.
func (qs *questions) put(ctx context.Context, p *provider, id string, asked *toolQuestion) {
	if qs.open[id] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	q := &question{id: id, cancel: cancel}
	qs.open[id] = q
	p.spawn("question of a CLI", func(context.Context) {
		d := decision{question: q, answer: denied(asked, "")} // of a service that panics
		defer func() {
			select {
			case qs.decided <- d:
			case <-ctx.Done(): // nobody wants to know any more
			}
		}()
		d.answer = p.decide(ctx, asked)
	})
}

// drop ends a question, if it is there.
func (qs *questions) drop(id string) {
	if q := qs.open[id]; q != nil {
		q.cancel()
		delete(qs.open, id)
	}
}

// close ends all questions, and returns the ids of those that were not answered.
func (qs *questions) close() []string {
	var ids []string
	for id, q := range qs.open {
		q.cancel()
		ids = append(ids, id)
	}
	clear(qs.open)
	return ids
}
