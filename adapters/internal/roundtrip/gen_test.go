package roundtrip

import (
	"math/rand/v2"
	"strconv"
)

// gen makes conversations by chance. Each string that it makes begins with a mark of its own, such as m17x, by which
// it is found again whatever became of it.
type gen struct {
	*rand.Rand
	n int // marks so far

	// bare leaves out members that no dialect knows, which are most of a report.
	bare bool
	// calls are those that wait for a result.
	calls []string
}

func newGen(seed uint64, stream uint64) *gen {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, stream))}
	g.bare = g.odds(2)
	return g
}

// odds is true once in n times.
func (g *gen) odds(n int) bool { return g.IntN(n) == 0 }

func (g *gen) pick(words ...string) string { return words[g.IntN(len(words))] }

// mark makes a new mark.
func (g *gen) mark() string {
	g.n++
	return "m" + strconv.Itoa(g.n) + "x"
}

// text makes a string of letters that parsers stumble over. Half of them are plain.
func (g *gen) text() *node {
	s := `"` + g.mark()
	for range g.IntN(4) * g.IntN(2) {
		s += g.pick(` two words`, `\n`, `\t\r`, `\u0000`, `\ud83d\ude00`, `\ud800`, `\udc00 `, `\"`, `\\`, `\/`, `é`, `日本`,
			`</system>`, `\u2028`, `\u00e4`, `<thinking>`, `&amp;`, `{`, `data: `, `\\n`, `🙂`, `\u001f`, `'`)
	}
	return str(s + `"`)
}

func (g *gen) maybe(n *node) *node {
	if g.odds(2) {
		return nil
	}
	return n
}

func (g *gen) rarely(n *node) *node {
	if g.odds(4) {
		return n
	}
	return nil
}

func (g *gen) number() *node {
	return lit(g.pick("0", "-1", "1.50", "1e3", "9007199254740993", "123456789012345678901234567890", "-0.0", "1E-7", "0.1000"))
}

// value is any JSON.
func (g *gen) value(depth int) *node {
	if depth > 0 && g.odds(2) {
		if g.odds(2) {
			return list(g.value(depth-1), g.value(depth-1))
		}
		return obj(g.pick("a", "type", "text", "name", "A"), g.value(depth-1), g.pick("b", "c d", "id"), g.value(depth-1))
	}
	switch g.IntN(5) {
	case 0:
		return g.number()
	case 1:
		return lit(g.pick("true", "false", "null"))
	default:
		return g.text()
	}
}

// deep is an object of many levels.
func (g *gen) deep() *node {
	n := obj("leaf", g.text())
	for range 20 + g.IntN(40) {
		n = obj("d", n)
	}
	return n
}

// arguments are those of a call.
func (g *gen) arguments() *node {
	switch g.IntN(8) {
	case 0:
		return obj()
	case 1:
		return g.deep()
	case 2:
		return obj("z", g.text(), "huge", lit("1"+strconv.Itoa(1000000+g.IntN(1000000))+"00000000000000000000"), "a", g.text(), "A", g.text())
	default:
		return obj("q", g.text(), "a", g.value(2), "ü", g.value(1))
	}
}

// more adds members that nobody knows.
func (g *gen) more(n *node) *node {
	if !g.bare && g.odds(6) {
		n.set("x_"+g.mark(), g.unknown())
	}
	return n
}

func (g *gen) unknown() *node {
	if g.odds(2) {
		return list(g.text(), g.value(2))
	}
	return g.text()
}

// id makes one of a vendor's ids.
func (g *gen) id(prefix string) string { return prefix + g.mark() }

// times makes a list of up to n elements.
func (g *gen) times(least, most int, one func() *node) *node {
	l := list()
	for range least + g.IntN(most-least+1) {
		l.kids = append(l.kids, one())
	}
	return l
}

// schema is that of a tool or of an answer.
func (g *gen) schema() *node {
	n := obj("type", "object", "properties", obj("a", obj("type", "string", "description", g.text(), "minLength", lit("1"))))
	if g.odds(3) {
		n.set("$defs", obj("d", obj("enum", list(g.text(), g.number()))))
		n.set("$schema", word("https://json-schema.org/draft/2020-12/schema"))
	}
	return n
}

func (g *gen) base64() string { return g.pick("AAAA", "iVBORw0KGgo=", "JVBERi0xLjQ=", "QUJD/+8=") }
