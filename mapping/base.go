package mapping

import "math/bits"

// EncodeBase writes a record as one JSON object: keys sorted, Null left out.
// Equal records give equal bytes. It never fails; nil gives {}.
func EncodeBase(r Record) []byte {
	size := 2
	for name, v := range r {
		size += len(name) + len(v) + 4
	}
	b := append(make([]byte, 0, size), '{')
	for _, name := range sortedNames(r) {
		v := r[name]
		if v.IsNull() {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(AppendName(b, name), ':')
		b = append(b, v...)
	}
	return append(b, '}')
}

// AppendName appends a name as a JSON string.
func AppendName(dst []byte, name string) []byte {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendQuoted(dst, []byte(name))
		}
	}
	return append(append(append(dst, '"'), name...), '"')
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

// SameContent reports whether two records hold the same; a missing field is
// Null.
func SameContent(a, b Record) bool {
	for name, v := range a {
		if v.IsNull() != b[name].IsNull() || (!v.IsNull() && v != b[name]) {
			return false
		}
	}
	for name, v := range b {
		if _, told := a[name]; !told && !v.IsNull() {
			return false
		}
	}
	return true
}

// Hash is a stable 64-bit digest of the record's content: the same over
// releases, machines and the order of fields. Null and missing are the same.
// It is no defence against forgery. The digests of the fields are added up,
// so that nothing has to be sorted.
func Hash(r Record) int64 {
	var sum uint64
	for name, v := range r {
		if !v.IsNull() {
			sum += digest(digest(uint64(len(name)), name), string(v))
		}
	}
	return int64(sum)
}

// digest mixes a text into h, eight bytes at a time.
func digest(h uint64, text string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	mix := func(word uint64) {
		h = (bits.RotateLeft64(h, 27) ^ word) * odd
		h ^= h >> 32
	}
	mix(uint64(len(text)))
	for len(text) >= 8 {
		mix(uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56)
		text = text[8:]
	}
	var rest uint64
	for i := range len(text) {
		rest |= uint64(text[i]) << (8 * i)
	}
	mix(rest)
	mix(odd)
	return h
}
