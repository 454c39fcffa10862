package mapping

import (
	"fmt"
	"slices"
)

// EncodeRemote makes the body of a POST or PUT: only the given fields, list
// items reduced to what Close takes (WriteForm), empty as null, keys sorted.
// A field that is not mapped, or a reference to a row without Close id, is an
// error: a child must never be posted without its parent (fault S12).
func EncodeRemote(o *Object, set Record) ([]byte, error) {
	b := []byte{'{'}
	for i, name := range sortedNames(set) {
		f, ok := o.Field(name)
		if !ok {
			return nil, fmt.Errorf("encode %s: field %s is not mapped", o.Type, name)
		}
		v := set.Get(name)
		if IsLocalRef(v) {
			return nil, fmt.Errorf("encode %s: field %s: its row has no Close id yet", o.Type, name)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, []byte(name))
		b = append(b, ':')
		b = append(b, WriteForm(f, v)...)
	}
	return append(b, '}'), nil
}

// sortedNames lists the fields of r in byte order.
func sortedNames(r Record) []string {
	names := make([]string, 0, len(r))
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
