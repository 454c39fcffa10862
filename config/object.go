package config

import "maps"

// Object is what the file says about one object type, as written. Empty means
// not said: package mapping fills in the built-in object and checks the rest
// against it, and can name the line of any key by At.
type Object struct {
	Position
	Enabled         *bool // nil: enabled
	Table           string
	Key             string
	CloseID         string
	Direction       string // "", both, from_close, to_close
	Conflict        string // "", close, local, newest, manual
	OnCloseDelete   string // "", delete, detach, flag:<column>
	OnLocalDelete   string // "", delete, ignore
	Filter          []byte // JSON of a Close filter; nil: everything is in scope
	Match           []string
	Fields          []Field // nil: the built-in fields
	ExternalIDField string  // custom.cf_… that carries our key in Close
	at              map[string]Position
}

// At gives the position of a key of the object, such as "table", else of the
// object itself.
func (o Object) At(key string) Position {
	if p, ok := o.at[key]; ok {
		return p
	}
	return o.Position
}

// Positions gives the position of every key that the object says.
func (o Object) Positions() map[string]Position { return maps.Clone(o.at) }

// Field maps one field of Close to one column.
type Field struct {
	Position
	Close    string
	Column   string
	Conflict string // "": the object's
}
