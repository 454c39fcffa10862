package closeapi

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Node is one node of a search query. The constructors below cover every type
// that is documented or in use; [RawNode] takes any other.
// Source: developer.close.com/api/resources/advanced-filtering.
type Node interface{ node() }

// object is a JSON object with its keys in the order they are sent.
type object []member

type member struct {
	name  string
	value any
}

func (o object) node() {}

// MarshalJSONTo writes the members in order.
func (o object) MarshalJSONTo(e *jsontext.Encoder) error {
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range o {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(e, m.value, json.Deterministic(true)); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// MarshalJSON serves the standard library's encoder.
func (o object) MarshalJSON() ([]byte, error) { return json.Marshal(o, json.Deterministic(true)) }

// RawNode is a node given as JSON, for instance as the app shows it.
type RawNode RawMessage

func (RawNode) node() {}

// MarshalJSON returns the text itself.
func (r RawNode) MarshalJSON() ([]byte, error) { return RawMessage(r).MarshalJSON() }

type negated struct{ inner Node }

func (negated) node() {}

// MarshalJSON sets "negate" on the inner node, turning it if it was set.
func (n negated) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(n.inner, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	var m map[string]jsontext.Value
	if err := json.Unmarshal(raw, &m, anyText); err != nil {
		return nil, err
	}
	was := string(m["negate"]) == "true"
	m["negate"] = jsontext.Value("true")
	if was {
		m["negate"] = jsontext.Value("false")
	}
	return json.Marshal(m, json.Deterministic(true))
}

// Not matches what n does not.
func Not(n Node) Node { return negated{n} }

// And matches what all nodes match.
func And(nodes ...Node) Node {
	return object{{"type", "and"}, {"queries", list(nodes)}}
}

// Or matches what any node matches.
func Or(nodes ...Node) Node {
	return object{{"type", "or"}, {"queries", list(nodes)}}
}

// ByID matches one record.
func ByID(id string) Node { return object{{"type", "id"}, {"value", id}} }

// ObjectType restricts to one type. Documented are "lead" and "contact";
// others are answered too (seen, inferred).
func ObjectType(t string) Node {
	return object{{"type", "object_type"}, {"object_type", t}}
}

// TextMode says how words are matched.
type TextMode string

// Text modes. BeginningOfWords is in wide use but not documented.
const (
	FullWords        TextMode = "full_words"
	Phrase           TextMode = "phrase"
	BeginningOfWords TextMode = "beginning_of_words"
)

// Text searches all text of a record.
func Text(value string, mode TextMode) Node {
	return object{{"type", "text"}, {"value", value}, {"mode", mode}}
}

// Where matches records whose field meets the condition.
func Where(f Field, c Condition) Node {
	return object{{"type", "field_condition"}, {"field", f}, {"condition", c}}
}

// HasRelated matches records that have a related one, e.g. a contact that
// has a contact_email for which the query holds.
func HasRelated(this, related string, query Node) Node {
	return object{
		{"type", "has_related"}, {"this_object_type", this},
		{"related_object_type", related}, {"related_query", query},
	}
}

// SavedSearch matches what a Smart View matches (seen in clients, not
// documented).
func SavedSearch(id string) Node {
	return object{{"type", "saved_search"}, {"saved_search_id", id}}
}

// MatchAll matches everything (seen in a client, not documented).
func MatchAll() Node { return object{{"type", "match_all"}} }

// list keeps an empty list from becoming null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Field names a field of a search. Make it with [RegularField] or
// [CustomField].
type Field struct {
	Type          string `json:"type"`
	ObjectType    string `json:"object_type,omitzero"`
	FieldName     string `json:"field_name,omitzero"`
	CustomFieldID string `json:"custom_field_id,omitzero"`
}

// RegularField is a built-in field, e.g. RegularField("lead", "date_updated").
func RegularField(objectType, name string) Field {
	return Field{Type: "regular_field", ObjectType: objectType, FieldName: name}
}

// CustomField is a custom field by its id, with the cf_ in front.
func CustomField(id string) Field { return Field{Type: "custom_field", CustomFieldID: id} }

// Direction of a sort.
type Direction string

// Directions.
const (
	Ascending  Direction = "asc"
	Descending Direction = "desc"
)

// Sort orders hits by a number, date or text of the record itself; ids and
// fields of related records cannot be sorted by.
type Sort struct {
	Direction Direction `json:"direction"`
	Field     Field     `json:"field"`
}
