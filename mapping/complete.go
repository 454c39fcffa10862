package mapping

// FillMissing turns a complete reading's silence into Null: Close leaves out a
// custom field that is not set, and a jsonb column of custom fields lacks the
// key. Every custom field with a column of its own, and every custom field
// that one of the known records holds, is set to Null in rec if rec lacks it.
// Other fields are never touched: their absence says nothing. Do not call it
// on a reading that was limited to some fields. rec is changed and returned.
func (o *Object) FillMissing(rec Record, known ...Record) Record {
	if rec == nil {
		return nil
	}
	fill := func(name string) {
		if _, ok := rec[name]; !ok && IsCustom(name) && !o.IsMarker(name) {
			rec[name] = Null
		}
	}
	for i := range o.Fields {
		fill(o.Fields[i].Close)
	}
	if o.Custom == "" {
		return rec
	}
	for _, k := range known {
		for name := range k {
			fill(name)
		}
	}
	return rec
}
