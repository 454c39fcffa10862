package mapping

// builders holds every object type, alphabetical. A new one is a file and a
// line here.
var builders = map[string]func() *Object{
	"contact":     contact,
	"lead":        lead,
	"opportunity": opportunity,
}

// order is the order in which types are worked on: parents first.
var order = []string{"lead", "contact", "opportunity"}

// Types lists the object types, parents before children.
func Types() []string { return append([]string(nil), order...) }

// Default returns the built-in mapping of an object type to the table that
// migrations make, or nil for an unknown type.
func Default(objectType string) *Object {
	build, ok := builders[objectType]
	if !ok {
		return nil
	}
	o := build()
	o.Key, o.KeyType, o.CloseID, o.Custom = "id", "bigint", "close_id", "custom"
	o.Direction, o.Policy = Both, PolicyClose
	o.OnClose, o.OnLocal = DeleteRule{Kind: "delete"}, "delete"
	return o
}
