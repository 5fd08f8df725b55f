package adapters

import (
	"context"
	"iter"
	"slices"
)

// Chain is a path of formats, the client's first and the upstream's last.
type Chain []Format

// Forward gives the pairs a request passes, in order: (c0,c1), (c1,c2) and so on.
func (c Chain) Forward() []FormatPair {
	if len(c) < 2 {
		return nil
	}
	pairs := make([]FormatPair, 0, len(c)-1)
	for i := 1; i < len(c); i++ {
		pairs = append(pairs, FormatPair{From: c[i-1], To: c[i]})
	}
	return pairs
}

// Backward gives the pairs an answer passes, in order: the reverse pairs from the last to the first.
func (c Chain) Backward() []FormatPair {
	pairs := c.Forward()
	slices.Reverse(pairs)
	for i, p := range pairs {
		pairs[i] = p.Reverse()
	}
	return pairs
}

// Composed converts along a [Chain]: requests over the chain's forward pairs, and responses, errors and
// streams over its backward pairs. It is thus a [FormatAdapter] for a whole call and not for one pair;
// registering it would be a mistake. The zero value changes nothing.
type Composed struct {
	forward, backward []FormatAdapter
}

var _ FormatAdapter = (*Composed)(nil)

// Compose makes one adapter of those that are in charge of the chain's pairs now; later registrations do not
// change it. A pair that nobody converts, in either direction, gives a [*PairError]. A chain of fewer than
// two formats gives an adapter that changes nothing.
func (r *Registry) Compose(c Chain) (*Composed, error) {
	forward, err := r.lookupAll(c.Forward())
	if err != nil {
		return nil, err
	}
	backward, err := r.lookupAll(c.Backward())
	if err != nil {
		return nil, err
	}
	return &Composed{forward: forward, backward: backward}, nil
}

func (r *Registry) lookupAll(pairs []FormatPair) ([]FormatAdapter, error) {
	found := make([]FormatAdapter, 0, len(pairs))
	for _, pair := range pairs {
		a, err := r.Lookup(pair)
		if err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	return found, nil
}

// ConvertRequest turns a request of the chain's first format into one of its last.
func (c *Composed) ConvertRequest(ctx context.Context, in map[string]any) (map[string]any, error) {
	var err error
	for _, a := range c.forward {
		if in, err = a.ConvertRequest(ctx, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// ConvertResponse turns a response of the chain's last format into one of its first.
func (c *Composed) ConvertResponse(ctx context.Context, in map[string]any) (map[string]any, error) {
	var err error
	for _, a := range c.backward {
		if in, err = a.ConvertResponse(ctx, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// ConvertError turns an error of the chain's last format into one of its first.
func (c *Composed) ConvertError(ctx context.Context, in map[string]any) (map[string]any, error) {
	var err error
	for _, a := range c.backward {
		if in, err = a.ConvertError(ctx, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// ConvertStream turns a stream of the chain's last format into one of its first.
func (c *Composed) ConvertStream(
	ctx context.Context, in iter.Seq2[map[string]any, error],
) iter.Seq2[map[string]any, error] {
	for _, a := range c.backward {
		in = a.ConvertStream(ctx, in)
	}
	return in
}
