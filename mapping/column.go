package mapping

// ColumnText gives the text from which Postgres makes a column by a cast, of
// any type but json, which takes ColumnJSON's: texts without their quotes, all
// else as JSON writes it. false means NULL.
func ColumnText(v Value) (string, bool) {
	if v.IsNull() {
		return "", false
	}
	if v[0] != '"' {
		return string(v), true
	}
	return v.Text()
}

// ColumnJSON gives the JSON of a Value for a jsonb column: texts keep their
// quotes. false means empty.
func ColumnJSON(v Value) (string, bool) {
	if v.IsNull() {
		return "", false
	}
	return string(v), true
}

// FromColumn canonicalises a column as to_jsonb gives it.
func FromColumn(f Field, jsonRaw []byte) (Value, error) { return Canon(f, jsonRaw) }

// KindForColumn gives the kind by which values of a Postgres type (as in
// pg_type.typname or format_type) are compared. A field of kind Any takes the
// kind of its column. false: no mapped field can live in such a column.
func KindForColumn(pgType string) (Kind, bool) {
	switch pgType {
	case "text", "varchar", "character varying", "citext", "uuid", "bpchar", "character", "name":
		return Text, true
	case "int2", "int4", "int8", "smallint", "integer", "bigint":
		return Integer, true
	case "numeric", "float4", "float8", "real", "double precision":
		return Number, true
	case "bool", "boolean":
		return Boolean, true
	case "date":
		return Date, true
	case "timestamptz", "timestamp", "timestamp with time zone", "timestamp without time zone":
		return Timestamp, true
	case "jsonb", "json":
		return Any, true
	}
	return Any, false
}
