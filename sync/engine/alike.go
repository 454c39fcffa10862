package engine

import (
	"slices"
	"strings"

	"closesync/mapping"
)

// telling are the fields by which a record is known again. What else was sent
// may have been changed by Close on its way in.
var telling = []string{"lead_id", "name", "note", "value", "emails", "phones"}

// matches reports whether a record of Close may be the effect of a create: the
// fields by which it is known hold what was sent, in whatever form Close gives
// it. Being too generous here parks a record; being too strict doubles it.
func matches(o *mapping.Object, sent, record mapping.Record) bool {
	same := 0
	for name, v := range sent {
		f, ok := o.Field(name)
		if !ok || v.IsNull() {
			continue
		}
		alike := alike(f, v, record.Get(name))
		if !alike && slices.Contains(telling, name) {
			return false
		}
		if alike {
			same++
		}
	}
	return same > 0 || len(sent) == 0
}

// alike compares as Close may have rewritten a value: spaces trimmed, letters
// made small, phone numbers completed.
func alike(f mapping.Field, a, b mapping.Value) bool {
	if mapping.Same(f, a, b) {
		return true
	}
	switch f.Close {
	case "emails", "phones":
		return slices.Equal(addresses(f, a), addresses(f, b))
	}
	x, isText := a.Text()
	y, both := b.Text()
	return isText && both && folded(x) == folded(y)
}

func folded(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// addresses are the e-mail addresses of a list, or the ends of its phone
// numbers, sorted.
func addresses(f mapping.Field, v mapping.Value) []string {
	var list []string
	for _, item := range mapping.Items(v) {
		text, ok := mapping.ItemKey(f, item).Text()
		if !ok {
			continue
		}
		if text = folded(text); f.Close == "phones" {
			text = lastDigits(text)
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// lastDigits is what a national and an international form of a number share.
func lastDigits(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	return digits[max(0, len(digits)-7):]
}
