package config

import (
	"math"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// text reads a string. A number or a boolean without quotes is a problem: YAML
// would already have changed it.
func (n node) text() string {
	switch v := n.value.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return n.clean(v.Value)
	case *ast.LiteralNode:
		if v.Value != nil {
			return n.clean(strings.TrimRight(v.Value.Value, "\n"))
		}
	}
	n.bad("must be text", "put it in double quotes")
	return ""
}

// clean refuses control characters, which no setting has a use for.
func (n node) clean(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		n.bad("holds control characters", "write it on one line")
		return ""
	}
	return s
}

// word reads text that is one of the given words.
func (n node) word(words ...string) string {
	before := len(n.probs.list)
	s := n.text()
	if s == "" {
		if n.set() && len(n.probs.list) == before {
			n.bad("is empty", "use "+orList(words))
		}
		return ""
	}
	for _, w := range words {
		if s == w {
			return s
		}
	}
	n.bad("is none of the possible values", "use "+orList(words))
	return ""
}

func orList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// whole reads a whole number within [min, max]; absent leaves def.
func (n node) whole(def, min, max int, remedy string) int {
	if !n.set() {
		return def
	}
	v, ok := n.value.(*ast.IntegerNode)
	if !ok {
		n.bad("must be a whole number", remedy)
		return def
	}
	var i int64
	switch x := v.Value.(type) {
	case int64:
		i = x
	case uint64:
		i = math.MaxInt64
		if x <= math.MaxInt64 {
			i = int64(x)
		}
	default:
		n.bad("must be a whole number", remedy)
		return def
	}
	if i < int64(min) || i > int64(max) {
		n.bad("is out of range", remedy)
		return def
	}
	return int(i)
}

// yes reads true or false; nil is absent.
func (n node) yes() *bool {
	if !n.set() {
		return nil
	}
	v, ok := n.value.(*ast.BoolNode)
	if !ok {
		n.bad("must be true or false", "without quotes")
		return nil
	}
	b := v.Value
	return &b
}

// duration reads text such as 10m or 24h, more than zero; absent leaves def.
func (n node) duration(def time.Duration) time.Duration {
	before := len(n.probs.list)
	s := n.text()
	if len(n.probs.list) > before || !n.set() {
		return def
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		n.bad("is no length of time", `write for example "10m" or "24h"`)
		return def
	}
	return d
}
