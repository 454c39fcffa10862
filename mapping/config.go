package mapping

import (
	"fmt"
	"strings"
)

// ObjectConfig is what a user's configuration says about one object type, see
// contract.md §1 objects.*. An empty text means the default.
type ObjectConfig struct {
	Type            string
	Enabled         *bool  // nil: enabled
	Table           string // "schema.table"
	Key             string
	CloseID         string
	Direction       string
	Conflict        string
	OnCloseDelete   string // "delete", "detach" or "flag:<boolean column>"
	OnLocalDelete   string
	Filter          []byte // JSON
	Match           []string
	ExternalIDField string // "cf_…"
	Fields          []FieldConfig
	File            string
	Line            int
	Lines           map[string]int // where each key stands, if known
}

// FieldConfig is one entry of objects.*.fields.
type FieldConfig struct {
	Close    string
	Column   string
	Conflict string
	Line     int
}

// Problem is one thing wrong with a configuration. Line is 0 if unknown.
type Problem struct {
	File   string
	Line   int
	Key    string // path of the key: "objects.lead.fields[2].column"
	Reason string
	// Word is what is not known, Known what could stand there instead.
	Word  string
	Known []string
}

// String gives "file:line: key: reason".
func (p Problem) String() string {
	where := p.File
	if where == "" {
		where = "configuration"
	}
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, p.Line)
	}
	return fmt.Sprintf("%s: %s: %s", where, p.Key, p.Reason)
}

// Error makes a Problem usable as an error.
func (p Problem) Error() string { return p.String() }

// Bind makes the objects that are in force from the user's configuration: all
// built-in types with their defaults, changed by cfg, without those switched
// off. A problem means that nothing may be started (fault D15); all problems
// are found at once.
func Bind(cfg []ObjectConfig) (map[string]*Object, []Problem) {
	b := binder{objects: map[string]*Object{}, enabled: map[string]bool{}, from: map[string]ObjectConfig{}}
	for _, t := range Types() {
		b.enabled[t] = true
	}
	for _, c := range cfg {
		b.admit(c)
	}
	for _, t := range Types() {
		if b.enabled[t] {
			b.object(t)
		}
	}
	b.parents()
	b.tables()
	return b.objects, b.problems
}

// binder collects objects and problems.
type binder struct {
	objects  map[string]*Object
	enabled  map[string]bool
	from     map[string]ObjectConfig
	problems []Problem
}

// unknown is problem for a word that is none of the known ones.
func (b *binder) unknown(c ObjectConfig, line int, key, word string, known []string, format string, args ...any) {
	b.problem(c, line, key, format, args...)
	last := &b.problems[len(b.problems)-1]
	last.Word, last.Known = word, known
}

// problem notes what is wrong; line 0 takes the key's line, else the object's.
func (b *binder) problem(c ObjectConfig, line int, key, format string, args ...any) {
	if line == 0 {
		name, _, _ := strings.Cut(key, "[")
		line = c.Lines[name]
	}
	if line == 0 {
		line = c.Line
	}
	path := "objects." + c.Type
	if key != "" {
		path += "." + key
	}
	b.problems = append(b.problems, Problem{File: c.File, Line: line, Key: path, Reason: fmt.Sprintf(format, args...)})
}

func (b *binder) admit(c ObjectConfig) {
	if _, ok := builders[c.Type]; !ok {
		b.unknown(c, 0, "", c.Type, Types(), "unknown object")
		return
	}
	if _, twice := b.from[c.Type]; twice {
		b.problem(c, 0, "", "configured twice")
		return
	}
	b.from[c.Type] = c
	b.enabled[c.Type] = c.Enabled == nil || *c.Enabled
}

// parents demands that what a child needs is synchronised too.
func (b *binder) parents() {
	for _, t := range Types() {
		o := b.objects[t]
		if o == nil {
			continue
		}
		for _, f := range o.Parents() {
			if !b.enabled[f.Parent] && f.Required {
				c := b.from[f.Parent]
				b.problem(c, 0, "enabled", "%s needs %s, which is switched off", t, f.Parent)
			}
		}
		b.dropOptionalParents(o)
	}
}

// dropOptionalParents leaves out references to a type that is switched off:
// their target has no rows.
func (b *binder) dropOptionalParents(o *Object) {
	kept := o.Fields[:0]
	for _, f := range o.Fields {
		if f.Kind != Reference || f.Required || b.enabled[f.Parent] {
			kept = append(kept, f)
		}
	}
	o.Fields = kept
}

// tables demands a table of its own for each object.
func (b *binder) tables() {
	owner := map[Table]string{}
	for _, t := range Types() {
		o := b.objects[t]
		if o == nil {
			continue
		}
		if other, taken := owner[o.Table]; taken {
			c := b.from[t]
			c.Type = t
			b.problem(c, 0, "table", "%s is the table of %s already", o.Table, other)
			continue
		}
		owner[o.Table] = t
	}
}
