package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is one value of the file with its key. A node with a nil value stands
// for a key that is absent or null; every getter then returns the zero value.
//
// The tree is walked here rather than decoded with yaml.Strict, which is as
// strict but stops at the first problem and forgets where values stood.
type node struct {
	value ast.Node
	key   string
	pos   Position
	probs *problems
}

// parseFile turns the text into its root node. Syntax errors, several
// documents, anchors and tags are problems.
func parseFile(file string, text []byte, probs *problems) node {
	root := node{key: "", pos: Position{File: file, Line: 1}, probs: probs}
	tree, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		pos := root.pos
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
			pos.Line = e.GetToken().Position.Line
		}
		probs.add(pos, "", "not valid YAML: "+syntaxText(err), "")
		return root
	}
	if len(tree.Docs) > 1 {
		probs.add(root.pos, "", "holds more than one document", "keep one, without ---")
		return root
	}
	if len(tree.Docs) == 1 {
		root.value = presence(tree.Docs[0].Body)
	}
	return root
}

// syntaxText is the parser's message on one line without the excerpt of the
// file, which could show a secret of a neighbouring line. What the message
// quotes is taken out for the same reason.
func syntaxText(err error) string {
	text := yaml.FormatError(err, false, false)
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	if strings.HasPrefix(text, "[") { // "[line:column] message"
		if _, rest, ok := strings.Cut(text, "] "); ok {
			text = rest
		}
	}
	if i := strings.IndexAny(text, "\"'`"); i >= 0 {
		text = strings.TrimSpace(text[:i]) + " …"
	}
	return text
}

// presence makes null, comments and nothing the same.
func presence(n ast.Node) ast.Node {
	switch n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return nil
	}
	return n
}

func (n node) set() bool { return n.value != nil }

func (n node) bad(what, remedy string) { n.probs.add(n.pos, n.key, what, remedy) }

func (n node) at(key string, value ast.Node, line int) node {
	pos := n.pos
	if line > 0 {
		pos.Line = line
	}
	return node{value: presence(value), key: key, pos: pos, probs: n.probs}
}

// entries gives the pairs of a mapping in the order of the file. A value that
// is no mapping, or a merge or composite key, is a problem.
func (n node) entries() []node {
	if !n.set() {
		return nil
	}
	var pairs []*ast.MappingValueNode
	switch v := n.value.(type) {
	case *ast.MappingNode:
		pairs = v.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{v}
	default:
		n.bad("must hold keys", "write its keys indented below it")
		return nil
	}
	var out []node
	seen := map[string]bool{}
	for _, p := range pairs {
		if p == nil || p.Key == nil {
			continue
		}
		line := 0
		if t := p.Key.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		name, ok := keyName(p.Key)
		child := n.at(join(n.key, name), p.Value, line)
		switch {
		case !ok:
			child.key = n.key
			child.bad("has a key that is no plain word", "anchors, merges and composite keys are not supported")
		case seen[name]:
			child.bad("is written twice", "keep one of them")
		default:
			seen[name] = true
			out = append(out, child)
		}
	}
	return out
}

func keyName(k ast.MapKeyNode) (string, bool) {
	switch v := k.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.NullNode, *ast.FloatNode:
		if t := k.GetToken(); t != nil {
			return t.Value, true
		}
	}
	return "", false
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// last is the key without its parents.
func (n node) last() string {
	if i := strings.LastIndexByte(n.key, '.'); i >= 0 {
		return n.key[i+1:]
	}
	return n.key
}

// keys reads a mapping whose keys are all known. Each entry is handed to the
// function of its name; any other name is a problem.
func (n node) keys(known map[string]func(node)) {
	prefix := len(n.key)
	if prefix > 0 {
		prefix++
	}
	for _, e := range n.entries() {
		name := e.key[prefix:]
		if read, ok := known[name]; ok {
			read(e)
			continue
		}
		e.bad("unknown key", remedyForUnknown(name, known))
	}
}

// items gives the elements of a list.
func (n node) items() []node {
	if !n.set() {
		return nil
	}
	seq, ok := n.value.(*ast.SequenceNode)
	if !ok {
		n.bad("must be a list", `write each element on a line of its own after "- "`)
		return nil
	}
	out := make([]node, 0, len(seq.Values))
	for i, v := range seq.Values {
		line := 0
		if v != nil {
			line = firstLine(v)
		}
		out = append(out, n.at(n.key+"["+strconv.Itoa(i)+"]", v, line))
	}
	return out
}

// firstLine of a mapping is that of its first key; its own token is a colon.
func firstLine(v ast.Node) int {
	switch m := v.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 && m.Values[0] != nil && m.Values[0].Key != nil && !m.IsFlowStyle {
			return firstLine(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		if m.Key != nil {
			return firstLine(m.Key)
		}
	}
	if t := v.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
