package config

import (
	"strings"
)

// readObjects reads the mapping as far as it can be judged without the
// built-in objects: keys, types, words, and no column or field mapped twice.
func readObjects(n node) map[string]Object {
	out := map[string]Object{}
	for _, e := range n.entries() {
		out[e.last()] = readObject(e)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func readObject(n node) Object {
	o := Object{Position: n.pos, at: map[string]Position{}}
	// seen remembers where a key stood before it is read.
	seen := func(read func(node)) func(node) {
		return func(n node) {
			o.at[n.last()] = n.pos
			read(n)
		}
	}
	n.keys(map[string]func(node){
		"enabled":           seen(func(n node) { o.Enabled = n.yes() }),
		"table":             seen(func(n node) { o.Table = readTable(n) }),
		"key":               seen(func(n node) { o.Key = readName(n) }),
		"close_id":          seen(func(n node) { o.CloseID = readName(n) }),
		"direction":         seen(func(n node) { o.Direction = n.word("both", "from_close", "to_close") }),
		"conflict":          seen(func(n node) { o.Conflict = readConflict(n) }),
		"on_close_delete":   seen(func(n node) { o.OnCloseDelete = readCloseDelete(n) }),
		"on_local_delete":   seen(func(n node) { o.OnLocalDelete = n.word("delete", "ignore") }),
		"filter":            seen(func(n node) { o.Filter = readFilter(n) }),
		"match":             seen(func(n node) { o.Match = readMatch(n) }),
		"fields":            seen(func(n node) { o.Fields = readFields(n) }),
		"external_id_field": seen(func(n node) { o.ExternalIDField = readName(n) }),
	})
	checkColumns(n, o)
	return o
}

func readConflict(n node) string { return n.word("close", "local", "newest", "manual") }

// readName reads text that must not be empty when the key is there. Postgres
// cuts names over 63 bytes, so a longer one would name another column.
func readName(n node) string {
	before := len(n.probs.list)
	s := n.text()
	if !n.set() || len(n.probs.list) > before {
		return s
	}
	if s == "" {
		n.bad("is empty", "write a name or remove the key")
	}
	if len(s) > 63 && !strings.HasPrefix(s, "custom.") {
		n.bad("is longer than the 63 bytes of a Postgres name", "")
	}
	return s
}

// readTable reads schema.table or table.
func readTable(n node) string {
	before := len(n.probs.list)
	s := n.text()
	if !n.set() || len(n.probs.list) > before {
		return s
	}
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if p == "" || len(p) > 63 || len(parts) > 2 {
			n.bad("is no table name", "write schema.table")
			return ""
		}
	}
	return s
}

func readCloseDelete(n node) string {
	if s, ok := strings.CutPrefix(plain(n), "flag:"); ok {
		if s == "" || len(s) > 63 {
			n.bad("names no column", "write flag:<boolean column>")
			return ""
		}
		return n.text()
	}
	return n.word("delete", "detach", "flag:<boolean column>")
}

// plain reads text without reporting; the caller reads again with a reader
// that does.
func plain(n node) string {
	quiet := n
	quiet.probs = &problems{}
	return quiet.text()
}

func readFilter(n node) []byte {
	raw := n.rawJSON()
	if raw != nil && raw[0] != '{' {
		n.bad("must be one query of Close", "write the keys of a Close filter, as in {type: match_all}")
		return nil
	}
	return raw
}

func readMatch(n node) []string {
	var out []string
	for _, item := range n.items() {
		if s := readName(item); s != "" {
			out = append(out, s)
		} else if !item.set() {
			item.bad("is empty", "write the name of a field")
		}
	}
	return out
}

func readFields(n node) []Field {
	out := []Field{}
	if !n.set() {
		return nil
	}
	for _, item := range n.items() {
		f := Field{Position: item.pos}
		before := len(item.probs.list)
		item.keys(map[string]func(node){
			"close":    func(n node) { f.Close = readName(n) },
			"column":   func(n node) { f.Column = readName(n) },
			"conflict": func(n node) { f.Conflict = readConflict(n) },
		})
		if len(item.probs.list) == before && (f.Close == "" || f.Column == "") {
			item.bad("needs both close and column", "as in {close: name, column: company_name}")
			continue
		}
		out = append(out, f)
	}
	return out
}

// checkColumns refuses two values for one column and one field in two columns.
func checkColumns(n node, o Object) {
	taken := map[string]string{}
	if o.CloseID != "" {
		taken[o.CloseID] = "close_id"
	}
	if o.Key != "" {
		if taken[o.Key] != "" {
			n.at(n.key+".key", nil, o.At("key").Line).bad("is the column of close_id too", "use two columns")
		}
		taken[o.Key] = "key"
	}
	if flag, ok := strings.CutPrefix(o.OnCloseDelete, "flag:"); ok {
		if by := taken[flag]; by != "" {
			n.at(n.key+".on_close_delete", nil, o.At("on_close_delete").Line).bad("is the column of "+by+" too", "use a column of its own")
		}
		taken[flag] = "on_close_delete"
	}
	fields := map[string]bool{}
	for _, f := range o.Fields {
		at := n.at(n.key+".fields", nil, f.Line)
		if by := taken[f.Column]; f.Column != "" && by != "" {
			at.bad("column "+f.Column+" is used twice, by "+by+" and by "+f.Close, "give each field a column of its own")
		}
		if f.Close != "" && fields[f.Close] {
			at.bad("field "+f.Close+" is mapped twice", "keep one")
		}
		taken[f.Column] = f.Close
		fields[f.Close] = true
	}
}
