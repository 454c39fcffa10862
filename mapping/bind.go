package mapping

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxName is the longest name Postgres keeps, in bytes.
const maxName = 63

var externalID = regexp.MustCompile(`^cf_[A-Za-z0-9]+$`)

// object binds one type.
func (b *binder) object(objectType string) {
	o := Default(objectType)
	b.objects[objectType] = o
	c, ok := b.from[objectType]
	if !ok {
		return
	}
	b.place(o, c)
	b.rules(o, c)
	if len(c.Fields) > 0 {
		b.fields(o, c)
	}
	b.columns(o, c)
	b.scope(o, c)
}

// place sets where rows live.
func (b *binder) place(o *Object, c ObjectConfig) {
	if c.Table != "" {
		schema, name, found := strings.Cut(c.Table, ".")
		if !found || strings.Contains(name, ".") {
			b.problem(c, 0, "table", "%q is not schema.table", c.Table)
		} else {
			b.name(c, 0, "table", schema)
			b.name(c, 0, "table", name)
			t := Table{schema, name}
			o.OwnTable = t != o.Table
			o.Table = t
		}
	}
	if c.Key != "" {
		b.name(c, 0, "key", c.Key)
		o.Key = c.Key
	}
	if c.CloseID != "" {
		b.name(c, 0, "close_id", c.CloseID)
		o.CloseID = c.CloseID
	}
	if o.Key == o.CloseID {
		b.problem(c, 0, "close_id", "column %q is the key", o.CloseID)
	}
}

// name checks a name that Postgres shall know.
func (b *binder) name(c ObjectConfig, line int, key, name string) {
	switch {
	case strings.TrimSpace(name) == "":
		b.problem(c, line, key, "the name is empty")
	case strings.ContainsRune(name, 0):
		b.problem(c, line, key, "the name holds a NUL character")
	case len(name) > maxName:
		b.problem(c, line, key, "the name is longer than %d bytes", maxName)
	}
}

// rules sets direction, policy and what deletions do.
func (b *binder) rules(o *Object, c ObjectConfig) {
	if c.Direction != "" {
		o.Direction = Direction(b.oneOf(c, 0, "direction", c.Direction, "both", "from_close", "to_close"))
	}
	if c.Conflict != "" {
		o.Policy = b.policy(c, 0, "conflict", c.Conflict)
	}
	if c.OnLocalDelete != "" {
		o.OnLocal = b.oneOf(c, 0, "on_local_delete", c.OnLocalDelete, "delete", "ignore")
	}
	if c.OnCloseDelete == "" {
		return
	}
	kind, column, _ := strings.Cut(c.OnCloseDelete, ":")
	o.OnClose = DeleteRule{Kind: kind, Column: column}
	switch {
	case kind == "flag" && strings.TrimSpace(column) == "":
		b.problem(c, 0, "on_close_delete", "flag needs a boolean column: flag:<column>")
	case kind == "flag":
		b.name(c, 0, "on_close_delete", column)
	default:
		b.oneOf(c, 0, "on_close_delete", c.OnCloseDelete, "delete", "detach", "flag:<column>")
	}
}

func (b *binder) policy(c ObjectConfig, line int, key, value string) Policy {
	return Policy(b.oneOf(c, line, key, value, "close", "local", "newest", "manual"))
}

func (b *binder) oneOf(c ObjectConfig, line int, key, value string, allowed ...string) string {
	if !slices.Contains(allowed, value) {
		b.problem(c, line, key, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
	return value
}

// fields replaces the default fields by the user's; nothing else is mapped
// then, no catch-all column of custom fields either.
func (b *binder) fields(o *Object, c ObjectConfig) {
	known := map[string]Field{}
	for _, f := range append(optional(o.Type), o.Fields...) {
		known[f.Close] = f
	}
	fields := make([]Field, 0, len(c.Fields))
	for i, fc := range c.Fields {
		key := fmt.Sprintf("fields[%d]", i)
		f, ok := known[fc.Close]
		switch {
		case strings.TrimSpace(fc.Close) == "" || strings.ContainsRune(fc.Close, 0):
			b.problem(c, fc.Line, key+".close", "the name is empty or holds a NUL character")
			continue
		case !ok && IsCustom(fc.Close):
			f = Field{Close: fc.Close, Kind: Any}
		case !ok:
			b.unknown(c, fc.Line, key+".close", fc.Close, spelt(fc.Close, known), "%s has no field %q", o.Type, fc.Close)
			continue
		}
		b.name(c, fc.Line, key+".column", fc.Column)
		f.Column = fc.Column
		if fc.Conflict != "" {
			f.Policy = b.policy(c, fc.Line, key+".conflict", fc.Conflict)
		}
		fields = append(fields, f)
	}
	for _, f := range o.Fields {
		if f.Required && !slices.ContainsFunc(fields, func(g Field) bool { return g.Close == f.Close }) {
			b.problem(c, 0, "fields", "%s must be mapped: a %s cannot be without its %s", f.Close, o.Type, f.Parent)
		}
	}
	o.Fields, o.Custom = fields, ""
}

// spelt lists what a field that is not known can have been meant for: the id of
// a custom field stands behind a prefix.
func spelt(name string, known map[string]Field) []string {
	if externalID.MatchString(name) {
		return []string{"custom." + name}
	}
	return slices.Sorted(maps.Keys(known))
}

func closeNames(fields []Field) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Close)
	}
	return names
}

// columns demands that each column and each field of Close is used once.
func (b *binder) columns(o *Object, c ObjectConfig) {
	used := map[string]string{o.Key: "the key", o.CloseID: "close_id"}
	if o.Custom != "" {
		used[o.Custom] = "the custom fields"
	}
	if o.OnClose.Column != "" {
		b.takeColumn(c, 0, "on_close_delete", used, o.OnClose.Column, "the flag of on_close_delete")
	}
	seen := map[string]bool{}
	for i, f := range o.Fields {
		line, key := fieldLine(c, f, i)
		if seen[f.Close] {
			b.problem(c, line, key+".close", "%s is mapped twice", f.Close)
		}
		seen[f.Close] = true
		b.takeColumn(c, line, key+".column", used, f.Column, f.Close)
	}
}

// fieldLine finds the entry that field i came from.
func fieldLine(c ObjectConfig, f Field, i int) (line int, key string) {
	for j, fc := range c.Fields {
		if fc.Close == f.Close && fc.Column == f.Column && j >= i {
			return fc.Line, fmt.Sprintf("fields[%d]", j)
		}
	}
	return 0, "fields"
}

func (b *binder) takeColumn(c ObjectConfig, line int, key string, used map[string]string, column, by string) {
	if other, taken := used[column]; taken {
		b.problem(c, line, key, "column %q already holds %s", column, other)
		return
	}
	used[column] = by
}

// scope sets which records are synchronised and how they find each other.
func (b *binder) scope(o *Object, c ObjectConfig) {
	if f := strings.TrimSpace(string(c.Filter)); f != "" && f != "null" {
		if f[0] != '{' || !jsontext.Value(f).IsValid() {
			b.problem(c, 0, "filter", "not a JSON object")
		}
		o.Filter = []byte(f)
	}
	if c.ExternalIDField != "" {
		b.marker(o, c)
	}
	for i, name := range c.Match {
		if _, ok := o.Field(name); !ok {
			b.unknown(c, 0, fmt.Sprintf("match[%d]", i), name, closeNames(o.Fields), "%q is not a mapped field", name)
		}
	}
	o.Match = c.Match
}

// marker sets the field that carries our marker, which nothing else may use.
func (b *binder) marker(o *Object, c ObjectConfig) {
	o.ExternalID = strings.TrimPrefix(c.ExternalIDField, "custom.")
	if !externalID.MatchString(o.ExternalID) {
		b.problem(c, 0, "external_id_field", "%q is not the id of a custom field, cf_…", c.ExternalIDField)
	}
	for i, f := range o.Fields {
		if o.IsMarker(f.Close) {
			line, key := fieldLine(c, f, i)
			b.problem(c, line, key+".close", "%s is external_id_field, which has no column", f.Close)
		}
	}
}
