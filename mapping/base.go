package mapping

import (
	"hash/fnv"
)

// EncodeBase writes a record as one JSON object: keys sorted, Null left out.
// Equal records give equal bytes. It never fails; nil gives {}.
func EncodeBase(r Record) []byte {
	b := make([]byte, 0, 64*len(r)+2)
	b = append(b, '{')
	for _, name := range sortedNames(r) {
		v := r[name]
		if v.IsNull() {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendQuoted(b, []byte(name))
		b = append(b, ':')
		b = append(b, v...)
	}
	return append(b, '}')
}

// DecodeBase reads what EncodeBase wrote, also after a visit in a jsonb
// column, which reorders keys and spaces. The error is a *DecodeError.
func DecodeBase(raw []byte) (Record, error) {
	if err := validObject(raw); err != nil {
		return nil, err
	}
	r := make(Record, 16)
	for key, value := range pairs(raw[skipSpace(raw, 0):]) {
		name, _ := Value(appendText(nil, key)).Text()
		v, err := appendCanon(nil, value)
		if err != nil {
			return nil, &DecodeError{"/" + name, int64(cap(raw) - cap(value)), err.Error()}
		}
		if string(v) != "null" {
			r[name] = Value(v)
		}
	}
	return r, nil
}

// Hash is a stable 64-bit digest of the record's content: the same over
// releases, machines and the order of fields. Null and missing are the same.
// It is no defence against forgery.
func Hash(r Record) int64 {
	h := fnv.New64a()
	h.Write(EncodeBase(r))
	return int64(h.Sum64())
}
