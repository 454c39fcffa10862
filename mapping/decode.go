package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Remote is one reading of a record of Close.
type Remote struct {
	Type    string
	ID      string
	Version time.Time         // date_updated, UTC; zero when the reading does not say
	Created time.Time         // date_created
	Marker  string            // what the marker field holds; "" if the reading does not say
	Record  Record            // only mapped fields that the reading contains
	Nested  []Remote          // contacts and opportunities inside a lead
	Whole   bool              // a lead that came with every list of Nested asked for
	Invalid map[string]string // fields whose value has an impossible type, with the reason (fault A15)
}

// DecodeError is an answer of Close that cannot be read at all, with the place
// as a JSON pointer and byte offset. It holds no content.
type DecodeError struct {
	Pointer string
	Offset  int64
	Reason  string
}

// Error names the place.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("at %q, offset %d: %s", e.Pointer, e.Offset, e.Reason)
}

// DecodeRemote reads one object of Close. Keys count by exact case, unknown
// ones are ignored (A16), a mapped key that occurs twice is refused (A18), a
// value of an impossible type goes to Invalid and the others go on (A15).
// Only what the reading contains gets into Record: whether a missing key means
// empty is the caller's knowledge, see FillMissing. nested gives the objects
// for the contacts and opportunities inside a lead; those of a type that is
// not in it are skipped. The error is a *DecodeError. raw is not kept.
func DecodeRemote(o *Object, raw []byte, nested map[string]*Object) (Remote, error) {
	if err := validObject(raw); err != nil {
		return Remote{}, err
	}
	r, err := decodeObject(o, newText(raw), raw, nested)
	if err == nil && r.ID == "" {
		err = &DecodeError{"/id", 0, "the object has no id"}
	}
	if err != nil {
		return Remote{}, err
	}
	return r, nil
}

// validObject checks the syntax of the whole text once; what follows may walk
// it without looking for errors.
func validObject(raw []byte) error {
	at := skipSpace(raw, 0)
	if at < len(raw) && raw[at] == '{' && jsontext.Value(raw).IsValid(lenient) {
		return nil
	}
	return syntaxError(raw)
}

func syntaxError(raw []byte) error {
	d := jsontext.NewDecoder(strings.NewReader(string(raw)), lenient)
	if k := d.PeekKind(); k != '{' && k != 0 {
		return &DecodeError{Reason: "an object expected, got " + k.String()}
	}
	err := d.SkipValue()
	if err == nil {
		return &DecodeError{Offset: d.InputOffset(), Reason: "text behind the object"}
	}
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		return &DecodeError{string(se.JSONPointer), se.ByteOffset, "not JSON, or cut off"}
	}
	return &DecodeError{Offset: int64(len(raw)), Reason: "the text is cut off"}
}

// reading collects one object of a text.
type reading struct {
	Remote
	*text
	o      *Object
	nested map[string]*Object
	hasID  bool
	lists  int // of nested, seen
}

// text is the whole text that parts are cut from. Most values are canonical as
// they come; such ones share its memory, which saves an allocation each.
type text struct {
	raw     []byte
	copy    string
	scratch []byte
}

func newText(raw []byte) *text { return &text{raw: raw, copy: string(raw)} }

// offset is where part begins.
func (t *text) offset(part []byte) int64 { return int64(cap(t.raw) - cap(part)) }

func (t *text) part(part []byte) string {
	at := t.offset(part)
	return t.copy[at : at+int64(len(part))]
}

// content is the text inside a JSON string; false for other values.
func (t *text) content(value []byte) (string, bool) {
	if value[0] != '"' {
		return "", false
	}
	if plainText(value) {
		return t.part(value[1 : len(value)-1]), true
	}
	return textOf(value)
}

// textOf is the text inside a JSON string, cleaned; false for other values.
func textOf(value []byte) (string, bool) {
	if value[0] != '"' {
		return "", false
	}
	return Value(appendText(nil, value)).Text()
}

// decodeObject reads the object obj, a part of t.
func decodeObject(o *Object, t *text, obj []byte, nested map[string]*Object) (Remote, error) {
	r := reading{o: o, text: t, nested: nested}
	r.Type, r.Record = o.Type, make(Record, len(o.Fields)+8)
	for key, value := range pairs(obj[skipSpace(obj, 0):]) {
		name, _ := t.content(key)
		if err := r.take(name, value); err != nil {
			return Remote{}, within("/"+name, err, t.offset(value))
		}
	}
	r.Whole = r.lists == len(nested)
	for i := range r.Nested {
		if _, mapped := nested[r.Nested[i].Type].Field("lead_id"); mapped {
			r.Nested[i].belongTo(r.ID)
		}
	}
	return r.Remote, nil
}

// within puts an error of a part into its place in the whole.
func within(place string, err error, offset int64) error {
	var inner *DecodeError
	if errors.As(err, &inner) {
		return &DecodeError{place + inner.Pointer, inner.Offset, inner.Reason}
	}
	return &DecodeError{place, offset, err.Error()}
}

// belongTo fills in the lead of a record that was read inside it.
func (r *Remote) belongTo(lead string) {
	if _, told := r.Record["lead_id"]; !told && r.Invalid["lead_id"] == "" && lead != "" {
		r.Record["lead_id"] = TextValue(lead)
	}
}

// DecodePart reads some fields of an object, such as the previous_data of an
// event: as DecodeRemote, but an id is not needed.
func DecodePart(o *Object, raw []byte) (Remote, error) {
	if err := validObject(raw); err != nil {
		return Remote{}, err
	}
	return decodeObject(o, newText(raw), raw, nil)
}

// keyName is a member's key without quotes and escapes: "i\u0064" is "id".
func keyName(key []byte) string {
	name, _ := textOf(key)
	return name
}

var errTwice = errors.New("the key occurs twice")

// take reads one member.
func (r *reading) take(name string, value []byte) error {
	switch name {
	case "id":
		return r.takeID(value)
	case "date_updated":
		return r.takeTime(name, value, &r.Version)
	case "date_created":
		return r.takeTime(name, value, &r.Created)
	}
	if t, ok := nestedTypes[name]; ok {
		return r.takeNested(r.nested[t], value)
	}
	if r.o.IsMarker(name) {
		r.Marker, _ = r.content(value)
		return nil
	}
	return r.takeField(name, value)
}

func (r *reading) takeID(value []byte) error {
	if r.hasID {
		return errTwice
	}
	id, ok := r.content(value)
	if !ok || id == "" {
		return errors.New("an id expected, got " + kindOf(value))
	}
	r.ID, r.hasID = id, true
	return nil
}

// takeTime reads a moment that also orders readings. One that cannot be read
// leaves the version unknown; the field itself goes to Invalid.
func (r *reading) takeTime(name string, value []byte, to *time.Time) error {
	if !to.IsZero() {
		return errTwice
	}
	if text, ok := r.content(value); ok {
		if t, err := ParseTime(text); err == nil {
			*to = t
		}
	}
	return r.takeField(name, value)
}

// takeField canonicalises a mapped field; others are of no concern.
func (r *reading) takeField(name string, value []byte) error {
	f, ok := r.o.fieldForDecode(name)
	if !ok {
		return nil
	}
	_, twice := r.Record[f.Close]
	if _, invalid := r.Invalid[f.Close]; twice || invalid {
		return errTwice
	}
	v, err := r.canon(f, value)
	if err == nil {
		if reason := f.Limit.refuses(v); reason != "" {
			err = &FieldError{f.Close, reason}
		}
	}
	if err == nil {
		r.Record[f.Close] = v
		return nil
	}
	if r.Invalid == nil {
		r.Invalid = make(map[string]string)
	}
	r.Invalid[f.Close] = err.Error()
	return nil
}

// canon is Canon for a part of a valid text.
func (t *text) canon(f Field, raw []byte) (Value, error) {
	v, err := appendValid(t.scratch[:0], f, raw)
	t.scratch = v
	switch {
	case err != nil || isEmpty(v):
		return Null, err
	case bytes.Equal(v, raw):
		return Value(t.part(raw)), nil
	}
	return Value(v), nil
}

func (r *reading) takeNested(o *Object, value []byte) error {
	if o == nil || value[0] == 'n' {
		return nil
	}
	if value[0] != '[' {
		return errors.New("a list expected, got " + kindOf(value))
	}
	r.lists++
	n := 0
	for item := range items(value) {
		if item[0] != '{' {
			return &DecodeError{fmt.Sprintf("/%d", n), r.offset(item), "an object expected, got " + kindOf(item)}
		}
		child, err := decodeObject(o, r.text, item, nil)
		if err != nil {
			return within(fmt.Sprintf("/%d", n), err, r.offset(item))
		}
		if child.ID == "" {
			return &DecodeError{fmt.Sprintf("/%d/id", n), r.offset(item), "the object has no id"}
		}
		r.Nested = append(r.Nested, child)
		n++
	}
	return nil
}

// fieldForDecode is Field without a copy for each unmapped key. The deprecated
// "custom" object is no field.
func (o *Object) fieldForDecode(name string) (Field, bool) {
	for i := range o.Fields {
		if o.Fields[i].Close == name {
			return o.Fields[i], true
		}
	}
	return o.catchAll(name)
}

// IsCustom reports whether name is a custom field, "custom.cf_…".
func IsCustom(name string) bool {
	return len(name) > len("custom.") && strings.HasPrefix(name, "custom.")
}
