package accesslog

import (
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// line implements [line].
func (e *entry) line(f Format, d *draft) []byte {
	switch f {
	case FormatCommon:
		return e.appendCommon(d.text[:0])
	case FormatCombined:
		b := e.appendCommon(d.text[:0])
		b = appendQuoted(append(b, ' '), e.req.Header.Value("Referer"))
		return appendQuoted(append(b, ' '), e.req.UserAgent)
	default:
		return d.object(e)
	}
}

// object writes the members of a line as a JSON object.
func (d *draft) object(l line) []byte {
	d.members = d.members[:0]
	l.members(&d.members)
	b := d.text[:0]
	b = append(b, '{')
	for i, a := range d.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSONString(b, a.Key), ':')
		switch a.Value.Kind() {
		case slog.KindInt64:
			b = strconv.AppendInt(b, a.Value.Int64(), 10)
		case slog.KindFloat64:
			b = strconv.AppendFloat(b, a.Value.Float64(), 'f', -1, 64)
		default:
			b = appendJSONString(b, a.Value.String())
		}
	}
	return append(b, '}')
}

// appendCommon writes: host, identity (which nobody has), user, time, request, status and bytes.
func (e *entry) appendCommon(b []byte) []byte {
	b = appendBare(b, e.req.ClientIP)
	b = append(b, " - "...)
	b = appendBare(b, e.req.CallerID)
	b = e.arrived.AppendFormat(b, " [02/Jan/2006:15:04:05 -0700] ")
	b = appendQuoted(b, e.requestLine())
	b = appendCount(append(b, ' '), int64(e.status))
	return appendCount(append(b, ' '), e.bytes)
}

// requestLine is the request as it was on the wire, as far as the event tells.
func (e *entry) requestLine() string {
	target := (&url.URL{Path: e.req.Path}).EscapedPath()
	if e.req.Query != "" {
		target += "?" + strings.ReplaceAll(e.req.Query, " ", "%20")
	}
	return e.req.Method + " " + target + " HTTP/1.1"
}

// appendCount writes a number, or a dash for none.
func appendCount(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, n, 10)
}
