package store

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"closesync/mapping"
)

// wholeJSON writes a record with its empty fields, which a base leaves out: of
// a write, an emptied field says something and a missing one does not. "" for
// no record.
func wholeJSON(r mapping.Record) string {
	if r == nil {
		return ""
	}
	whole := make(map[string]jsontext.Value, len(r))
	for name := range r {
		whole[name] = jsontext.Value(r.Get(name))
	}
	raw, _ := json.Marshal(whole, json.Deterministic(true))
	return string(raw)
}

// wholeRecord reads what wholeJSON wrote, after its visit in a jsonb column.
func wholeRecord(text string) (mapping.Record, error) {
	r, err := mapping.DecodeBase([]byte(text))
	if err != nil {
		return nil, err
	}
	var whole map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return nil, err
	}
	for name := range whole {
		if _, held := r[name]; !held {
			r[name] = mapping.Null
		}
	}
	return r, nil
}
