package reconcile

import "closesync/mapping"

// Settle gives the base after Close answered a write: base is the one of the
// plan (nil for a create), sent what was written, local the row as it is now,
// answer Close's record after the write. Fields that were not sent keep their
// base. A sent field whose row still holds what was sent gets that as base, so
// that an answer which Close put into another form goes to the row by the next
// Merge. If the row moved on in between, the answer is the base, and the
// row's new value is a plain edit of it. The base is never what was merely
// asked for: a field that the answer lacks keeps its base, unless the row
// holds the sent value, or nothing was sent for a custom field, which Close
// leaves out when empty. A nil local says that the row is gone. Nothing passed
// in is changed.
func Settle(o *mapping.Object, base, sent, local, answer mapping.Record) mapping.Record {
	out := base.Clone()
	if out == nil {
		out = mapping.Record{}
	}
	for name := range sent {
		f, ok := o.Field(name)
		if !ok {
			continue
		}
		s := sent.Get(name)
		_, answered := answer[name]
		switch {
		case mapping.Same(f, local.Get(name), s):
			out[name] = s
		case answered:
			out[name] = answer.Get(name)
		case s.IsNull() && mapping.IsCustom(name):
			out[name] = mapping.Null
		}
	}
	if base == nil {
		settleCreate(o, out, sent, local, answer)
	}
	return out
}

// settleCreate adds to the base of a record just created the fields that were
// empty when it was sent and that Close filled by itself (a first status). If
// the row still has none, Close's goes there by the next Merge, from an empty
// base. If the row got one in between, that is an edit of what Close chose. If
// it was deleted in between, all that Close chose is old: it is nobody's edit
// that would have to outlive the delete.
func settleCreate(o *mapping.Object, out, sent, local, answer mapping.Record) {
	for name := range answer {
		_, wasSent := sent[name]
		_, mapped := o.Field(name)
		if mapped && !wasSent && (local == nil || !local.Get(name).IsNull()) {
			out[name] = answer.Get(name)
		}
	}
}

// Landed gives the base after a write whose answer was lost (R3, S19), from
// what was sent and a fresh reading of Close: a field that Close holds as it
// was sent has arrived, and the row held it when it was sent. Call it before
// the next Merge, else an edit made here since then would be taken for old
// and what was sent for news of Close. Nothing passed in is changed.
func Landed(o *mapping.Object, base, sent, remote mapping.Record) mapping.Record {
	out := base.Clone()
	if out == nil {
		out = mapping.Record{}
	}
	for name := range sent {
		f, mapped := o.Field(name)
		r, read := remote[name]
		if mapped && read && mapping.Same(f, r, sent.Get(name)) {
			out[name] = r
		}
	}
	return out
}
