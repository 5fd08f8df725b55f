package adapters

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// Copies of what an event refers to, whose memory is used again for the next one.

func cloneFields(fields []canonical.Field) []canonical.Field {
	if fields == nil {
		return nil
	}
	out := make([]canonical.Field, len(fields))
	for i, f := range fields {
		out[i] = canonical.Field{Name: f.Name, Raw: bytes.Clone(f.Raw)}
	}
	return out
}

func clonePart(p canonical.Part) canonical.Part {
	for _, t := range []*canonical.Token{&p.Text, &p.Signature, &p.Encrypted, &p.ID, &p.Status} {
		*t = bytes.Clone(*t)
	}
	for _, r := range []*canonical.Raw{&p.CacheControl, &p.Citations, &p.Logprobs, &p.Raw} {
		*r = bytes.Clone(*r)
	}
	if p.Summary != nil {
		summary := make([]canonical.Token, len(p.Summary))
		for i, t := range p.Summary {
			summary[i] = bytes.Clone(t)
		}
		p.Summary = summary
	}
	if p.Media != nil {
		m := *p.Media
		for _, t := range []*canonical.Token{&m.MIME, &m.Data, &m.URL, &m.FileID, &m.Text, &m.Filename, &m.Detail} {
			*t = bytes.Clone(*t)
		}
		m.Extra = cloneFields(m.Extra)
		p.Media = &m
	}
	if p.Call != nil {
		c := *p.Call
		c.ID, c.Name = bytes.Clone(c.ID), bytes.Clone(c.Name)
		c.Args = canonical.Args{Object: bytes.Clone(c.Args.Object), String: bytes.Clone(c.Args.String)}
		c.Extra = cloneFields(c.Extra)
		p.Call = &c
	}
	p.Extra = cloneFields(p.Extra)
	return p
}

func cloneStop(s canonical.Stop) canonical.Stop {
	s.Sequence = bytes.Clone(s.Sequence)
	if s.Error != nil {
		e := cloneError(*s.Error)
		s.Error = &e
	}
	return s
}

func cloneError(e canonical.Error) canonical.Error {
	for _, t := range []*canonical.Token{&e.Message, &e.Code, &e.Param, &e.RequestID} {
		*t = bytes.Clone(*t)
	}
	return e
}
