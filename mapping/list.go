package mapping

import (
	"fmt"
	"slices"
)

// appendList appends the canonical list: items in the given order with all
// their keys, null items left out. A field with Identity holds objects only.
func appendList(dst []byte, f Field, raw []byte) ([]byte, error) {
	if string(raw) == `""` {
		return append(dst, "null"...), nil
	}
	if raw[0] != '[' {
		return dst, mismatch("a list", raw)
	}
	var err error
	dst = append(dst, '[')
	empty := len(dst)
	n := 0
	for item := range items(raw) {
		if n++; item[0] == 'n' {
			continue
		}
		if len(f.Identity) > 0 && item[0] != '{' {
			return dst, fmt.Errorf("item %d: an object expected, got %s", n, kindOf(item))
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		if dst, err = appendCanon(dst, item); err != nil {
			return dst, fmt.Errorf("item %d: %w", n, err)
		}
	}
	return append(dst, ']'), nil
}

// IsSet reports whether v counts as a set of items in f: order has no meaning
// and both sides' items are merged (faults S28, S29). Null is the empty set.
func IsSet(f Field, v Value) bool {
	if f.Kind != List && f.Kind != Any {
		return false
	}
	return v.IsNull() || v[0] == '['
}

// Items returns the items of a list Value, nil for Null.
func Items(v Value) []Value {
	if v.IsNull() || v[0] != '[' {
		return nil
	}
	var vs []Value
	for item := range items([]byte(v)) {
		vs = append(vs, Value(item))
	}
	return vs
}

// ListOf is the reverse of Items; no items are Null.
func ListOf(vs []Value) Value {
	if len(vs) == 0 {
		return Null
	}
	b := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return Value(append(b, ']'))
}

// ItemForm reduces one item to what identifies it and is written to Close:
// the keys of f.Identity that have a value. Null: the item says nothing.
func ItemForm(f Field, item Value) Value {
	if len(f.Identity) == 0 || item == "" || item[0] != '{' {
		return item
	}
	b := []byte{'{'}
	for key, value := range pairs([]byte(item)) {
		if !slices.Contains(f.Identity, string(key[1:len(key)-1])) || emptyJSON(value) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	if len(b) == 1 {
		return Null
	}
	return Value(append(b, '}'))
}

func emptyJSON(v []byte) bool {
	switch string(v) {
	case "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// ItemKey is what names one item: the value of the first key of f.Identity,
// as the address of an e-mail, or the whole item where there is none.
func ItemKey(f Field, item Value) Value {
	if len(f.Identity) == 0 || item == "" || item[0] != '{' {
		return item
	}
	for key, value := range pairs([]byte(item)) {
		if string(key[1:len(key)-1]) == f.Identity[0] {
			return Value(value)
		}
	}
	return Null
}

// WriteForm is v as it is sent to Close: list items hold only the keys of
// f.Identity, what Close derives is left out. The order stays.
func WriteForm(f Field, v Value) Value {
	if v.IsNull() {
		return Null
	}
	if len(f.Identity) == 0 || !IsSet(f, v) {
		return v
	}
	var vs []Value
	for _, item := range Items(v) {
		if form := ItemForm(f, item); !form.IsNull() {
			vs = append(vs, form)
		}
	}
	return ListOf(vs)
}

// Same reports whether two Values are equal content of f. Lists are equal as
// multisets of their write forms; everything else as text.
func Same(f Field, a, b Value) bool {
	if a == b || a.IsNull() && b.IsNull() {
		return true
	}
	if !IsSet(f, a) || !IsSet(f, b) {
		return false
	}
	return sameItems(Items(WriteForm(f, a)), Items(WriteForm(f, b)))
}

// Identical reports whether two Values are equal with all keys of their items,
// derived ones too. Only the order of items is ignored.
func Identical(f Field, a, b Value) bool {
	if a == b || a.IsNull() && b.IsNull() {
		return true
	}
	return IsSet(f, a) && IsSet(f, b) && sameItems(Items(a), Items(b))
}

func sameItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
