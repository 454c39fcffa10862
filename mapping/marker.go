package mapping

// A marker is text of ours in a hidden custom field of a record that we
// created: the proof which create made it, when the answer was lost (fault
// S16). It is no field of the record: never in a Record, never in a column,
// never compared, never sent after the create.

// MarkerField is Close's name of the custom field that carries our marker; ""
// if none is configured.
func (o *Object) MarkerField() string {
	if o.ExternalID == "" {
		return ""
	}
	return "custom." + o.ExternalID
}

// IsMarker reports whether name is the field that carries our marker.
func (o *Object) IsMarker(name string) bool {
	return o.ExternalID != "" && IsCustom(name) && name[len("custom."):] == o.ExternalID
}

// EncodeCreate is EncodeRemote for a new record, which carries the marker
// unless it is empty or the object has no field for it.
func EncodeCreate(o *Object, set Record, marker string) ([]byte, error) {
	body, err := EncodeRemote(o, set)
	if err != nil || marker == "" || o.ExternalID == "" {
		return body, err
	}
	b := append(appendQuoted([]byte{'{'}, []byte(o.MarkerField())), ':')
	b = appendQuoted(b, []byte(marker))
	if len(set) > 0 {
		b = append(b, ',')
	}
	return append(b, body[1:]...), nil
}
