package mapping

import (
	"strings"
)

// Kind says how a field's values are compared and stored.
type Kind uint8

// The kinds, with the Postgres types a column of that kind may have.
const (
	Text      Kind = iota // text, varchar, citext, uuid
	Integer               // bigint, int, smallint
	Number                // numeric, double precision
	Boolean               // boolean
	Date                  // date, as "2006-01-02"
	Timestamp             // timestamptz, UTC, microseconds
	JSON                  // jsonb: any JSON, compared as a whole
	List                  // jsonb array of items merged as a set (emails, phones, multi-value custom fields)
	Reference             // Close id of another object, the column holds that object's local key
	Any                   // a custom field whose column type decides
)

// Policy decides a field that both sides changed differently.
type Policy string

// The policies of contract.md §1. The zero Policy inherits the object's.
const (
	PolicyClose  Policy = "close"
	PolicyLocal  Policy = "local"
	PolicyNewest Policy = "newest"
	PolicyManual Policy = "manual"
)

// Direction limits which side may change the other.
type Direction string

// The directions of contract.md §1.
const (
	Both      Direction = "both"
	FromClose Direction = "from_close"
	ToClose   Direction = "to_close"
)

// Field is one field of Close in one column.
type Field struct {
	Close    string // Close's name: "name", "custom.cf_Hk2"
	Column   string
	Kind     Kind
	ReadOnly bool     // mirrors Close; a local change is put back
	Required bool     // a row without it cannot be inserted (a child's lead_id)
	Filled   bool     // Close fills an empty one itself and takes no emptiness
	Chosen   bool     // Close chooses one for a new record that brings none
	Policy   Policy   // "" inherits the object's
	Parent   string   // object type a Reference points at
	Identity []string // keys of a list item that are written back; others Close derives
	Open     bool     // Kind is that of the column, see Meet
	Limit    Limit    // what the column holds
}

// DeleteRule is what a deletion in Close does to the row.
type DeleteRule struct {
	Kind   string // "delete", "detach" or "flag"
	Column string // the boolean column of "flag"
}

// Table names a table; both parts are plain names, quoted where SQL is built.
type Table struct{ Schema, Name string }

// String gives schema.name for messages and configuration, not for SQL.
func (t Table) String() string { return t.Schema + "." + t.Name }

// Object maps one object type of Close to one table.
type Object struct {
	Type       string // Close's spelling and API path segment: "lead"
	Prefix     string // of its Close ids: "lead_"
	EventType  string // what events call it, where that differs from Type
	Nested     string // the list inside a lead that holds whole objects of it; "" for none
	Listed     bool   // its list endpoint can be read by date_created and date_updated
	Table      Table
	OwnTable   bool // the table is the user's: migrations do not make it
	Key        string
	KeyType    string // "bigint", "uuid" or "text"
	CloseID    string // column that holds the Close id
	Custom     string // jsonb column of every custom field without a column of its own; "" for none
	Fields     []Field
	Direction  Direction
	Policy     Policy
	OnClose    DeleteRule
	OnLocal    string // "delete" or "ignore"
	Filter     []byte // JSON of a search query; nil for everything
	Match      []string
	ExternalID string // "cf_…" of the hidden custom field that carries our key; "" for none
}

// Field returns the mapped field of that Close name.
func (o *Object) Field(name string) (Field, bool) {
	for _, f := range o.Fields {
		if f.Close == name {
			return f, true
		}
	}
	return o.catchAll(name)
}

// catchAll gives a custom field that lives in the column of all those without
// one of their own.
func (o *Object) catchAll(name string) (Field, bool) {
	if o.Custom != "" && IsCustom(name) && !o.IsMarker(name) {
		return Field{Close: name, Kind: Any}, true
	}
	return Field{}, false
}

// FieldPolicy returns the policy that holds for f.
func (o *Object) FieldPolicy(f Field) Policy {
	if f.Policy != "" {
		return f.Policy
	}
	if o.Policy != "" {
		return o.Policy
	}
	return PolicyClose
}

// Parents lists the fields that refer to other objects.
func (o *Object) Parents() []Field {
	var fs []Field
	for _, f := range o.Fields {
		if f.Kind == Reference {
			fs = append(fs, f)
		}
	}
	return fs
}

// LocalRef is the Value of a Reference whose target row has no Close id yet.
func LocalRef(key string) Value {
	return Value(append(appendQuoted([]byte(`{"local":`), []byte(key)), '}'))
}

// IsLocalRef reports whether v came from LocalRef.
func IsLocalRef(v Value) bool { return strings.HasPrefix(string(v), `{"local":`) }
