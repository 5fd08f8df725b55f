package adapters

import (
	"fmt"
	"reflect"
	"slices"
)

// RegisterCodec adds a dialect: from then on there are adapters to and from every other one whose codec is
// registered. They are the core's, with [DefaultPriority], so that an adapter of a plugin for one of the pairs is in
// charge of it; and each of them is a [Conversion] and a [RawAdapter] as well as a [FormatAdapter].
//
// A second codec for a dialect, and one that is nil or names no dialect, gives an error wrapping [ErrInvalid].
func (r *Registry) RegisterCodec(c Codec) error {
	if isNil(c) || c.Format() == "" {
		return fmt.Errorf("%w: codec without a format", ErrInvalid)
	}
	r.mu.Lock()
	if _, taken := r.codec(c.Format()); taken {
		r.mu.Unlock()
		return fmt.Errorf("%w: second codec of %s", ErrInvalid, c.Format())
	}
	others := r.codecs
	r.codecs = append(slices.Clip(others), c)
	r.mu.Unlock()
	for _, other := range others {
		for _, pair := range []*codecPair{{from: c, to: other}, {from: other, to: c}} {
			reg := Registration{Pair: pair.pair(), Adapter: pair, Description: "made of the codecs of both formats"}
			if _, err := r.Register(reg); err != nil {
				return err
			}
		}
	}
	return nil
}

func isNil(c Codec) bool {
	v := reflect.ValueOf(c)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// Codec gives the codec of a dialect; false if none is registered.
func (r *Registry) Codec(f Format) (Codec, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.codec(f)
}

// codec is Codec with the lock held.
func (r *Registry) codec(f Format) (Codec, bool) {
	for _, c := range r.codecs {
		if c.Format() == f {
			return c, true
		}
	}
	return nil, false
}
