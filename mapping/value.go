// Package mapping says which fields of Close's objects live in which columns
// of Postgres, and gives every value one canonical form. It is pure: no clock,
// no I/O, no context. The rules of the form, with what it does about NULs, lone
// surrogates and numbers beyond 2^53, are one table in docs/mapping.md.
package mapping

// Value is the content of one field as canonical JSON text: compact, object
// keys sorted, numbers in shortest exact form. Two contents are equal exactly
// when their Values are. Null means empty: Close's null, "" and [] and a row's
// NULL are the same Value.
type Value string

// Null is the empty Value.
const Null Value = "null"

// IsNull reports whether v is empty. The zero Value counts as empty.
func (v Value) IsNull() bool { return v == "" || v == Null }

// Record holds the known fields of one object by Close's field name, custom
// fields as "custom.cf_…". A missing key means that this reading does not say;
// Null means that the field is known to be empty.
type Record map[string]Value

// Clone returns a copy that shares nothing with r. Clone of nil is nil.
func (r Record) Clone() Record {
	if r == nil {
		return nil
	}
	c := make(Record, len(r))
	for k, v := range r {
		c[k] = v
	}
	return c
}

// Get returns the field's Value; a missing key reads as Null.
func (r Record) Get(field string) Value {
	if v, ok := r[field]; ok && v != "" {
		return v
	}
	return Null
}
