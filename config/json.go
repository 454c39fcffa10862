package config

import (
	"encoding/json"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// maxJSONDepth is far beyond any filter Close takes.
const maxJSONDepth = 64

// rawJSON turns a value into JSON text with keys in the order of the file and
// numbers as written. A value given as text must be JSON itself. Absent gives
// nil.
func (n node) rawJSON() []byte {
	if !n.set() {
		return nil
	}
	if s, ok := n.value.(*ast.StringNode); ok {
		if !json.Valid([]byte(s.Value)) {
			n.bad("must be JSON or YAML keys", "write the filter as keys, or as JSON in single quotes")
			return nil
		}
		return []byte(s.Value)
	}
	var b strings.Builder
	if !n.writeJSON(&b, 0) {
		return nil
	}
	return []byte(b.String())
}

func (n node) writeJSON(b *strings.Builder, depth int) bool {
	if depth > maxJSONDepth {
		n.bad("is nested too deeply", "")
		return false
	}
	switch v := n.value.(type) {
	case nil:
		b.WriteString("null")
	case *ast.MappingNode, *ast.MappingValueNode:
		return n.writeObject(b, depth)
	case *ast.SequenceNode:
		return n.writeArray(b, depth)
	case *ast.StringNode:
		writeString(b, v.Value)
	case *ast.LiteralNode:
		writeString(b, v.Value.Value)
	case *ast.BoolNode:
		if v.Value {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case *ast.IntegerNode, *ast.FloatNode:
		return n.writeNumber(b, v.GetToken().Value)
	default:
		n.bad("cannot be written as JSON", "anchors, tags, .inf and .nan are not supported")
		return false
	}
	return true
}

func (n node) writeObject(b *strings.Builder, depth int) bool {
	before := len(n.probs.list)
	b.WriteByte('{')
	for i, e := range n.entries() {
		if i > 0 {
			b.WriteByte(',')
		}
		writeString(b, e.key[len(n.key)+1:])
		b.WriteByte(':')
		if !e.writeJSON(b, depth+1) {
			return false
		}
	}
	b.WriteByte('}')
	return len(n.probs.list) == before
}

func (n node) writeArray(b *strings.Builder, depth int) bool {
	b.WriteByte('[')
	for i, e := range n.items() {
		if i > 0 {
			b.WriteByte(',')
		}
		if !e.writeJSON(b, depth+1) {
			return false
		}
	}
	b.WriteByte(']')
	return true
}

// writeNumber keeps the digits; YAML's own spellings (0x1F, 1_000) are refused.
func (n node) writeNumber(b *strings.Builder, text string) bool {
	if !json.Valid([]byte(text)) {
		n.bad("is a number JSON does not know", "write it in decimal, or in double quotes")
		return false
	}
	b.WriteString(text)
	return true
}

func writeString(b *strings.Builder, s string) {
	out, _ := json.Marshal(s) // a string always marshals
	b.Write(out)
}
