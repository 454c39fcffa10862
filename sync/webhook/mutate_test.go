package webhook

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// mutator spoils payloads: bytes without sense, JSON that is none any more, and
// JSON that is good but says what Close never would. Not safe for concurrent use.
type mutator struct {
	rng   *rand.Rand
	seeds [][]byte
}

// nasty are values to be put where others were.
var nasty = []string{
	`null`, `true`, `{}`, `[]`, `""`, `0`, `-1`, `1e400`, `-0`, `9007199254740993`, `123456789012345678901234567890`, `0.1e-999`,
	`"\u0000"`, `"\ud800"`, `"\udc00\ud800"`, `"\uFFFF"`, `"2026-13-45T99:99:99"`, `"0000-01-01T00:00:00"`, `"9999-12-31T23:59:59.999999+14:00"`,
	`"lead_"`, `"lead"`, `"contact"`, `"deleted"`, `"created"`, `"merged"`, `[null]`, `[{}]`, `{"":""}`, `{"id":1}`, "\"\xff\xfe\"",
	strings.Repeat("[", 200) + strings.Repeat("]", 200), strings.Repeat("[", 12_000),
	`"` + strings.Repeat("a", 5000) + `"`, strings.Repeat("9", 400),
}

// payload is a spoilt copy of one of the seeds.
func (m *mutator) payload() []byte {
	b := slices.Clone(m.seeds[m.rng.IntN(len(m.seeds))])
	for range 1 + m.rng.IntN(4) {
		b = m.spoil(b)
	}
	return b
}

func (m *mutator) spoil(b []byte) []byte {
	if len(b) < 2 {
		return b
	}
	at := m.rng.IntN(len(b))
	end := min(len(b), at+1+m.rng.IntN(40))
	switch m.rng.IntN(10) {
	case 0: // a flipped bit
		b[at] ^= 1 << m.rng.IntN(8)
		return b
	case 1: // a hole
		return slices.Delete(b, at, end)
	case 2: // an end too early
		return b[:at]
	case 3: // something twice
		return slices.Insert(b, end, bytes.Clone(b[at:end])...)
	case 4: // bytes from anywhere
		return slices.Insert(b, at, byte(m.rng.IntN(256)), byte(m.rng.IntN(256)))
	case 5: // one payload within another
		other := m.seeds[m.rng.IntN(len(m.seeds))]
		return slices.Insert(b, at, other...)
	case 6, 7: // another value
		return m.replace(b, at, nasty[m.rng.IntN(len(nasty))])
	case 8: // another name
		return m.rename(b, at)
	default: // one name twice
		return m.repeat(b, at)
	}
}

// replace puts text in the place of the value of the next member.
func (m *mutator) replace(b []byte, at int, text string) []byte {
	colon := bytes.IndexByte(b[at:], ':')
	if colon < 0 {
		return b
	}
	from := at + colon + 1
	size := bytes.IndexAny(b[from:], ",}]")
	if size < 0 {
		return b
	}
	return slices.Replace(b, from, from+size, []byte(text)...)
}

// rename gives the next member the name of another.
func (m *mutator) rename(b []byte, at int) []byte {
	names := []string{"id", "event", "data", "previous_data", "changed_fields", "object_type", "object_id", "lead_id", "action", "date_updated", "organization_id", "subscription_id", "meta", "", "custom"}
	from, size := nextName(b, at)
	if size < 0 {
		return b
	}
	return slices.Replace(b, from, from+size, []byte(names[m.rng.IntN(len(names))])...)
}

// repeat has the next member's name twice.
func (m *mutator) repeat(b []byte, at int) []byte {
	from, size := nextName(b, at)
	if size < 0 {
		return b
	}
	again := append([]byte(`"`), b[from:from+size]...)
	again = append(again, `":`+nasty[m.rng.IntN(len(nasty))]+`,`...)
	return slices.Insert(b, from-1, again...)
}

// nextName finds the name of the next member; size is -1 if there is none.
func nextName(b []byte, at int) (from, size int) {
	end := bytes.Index(b[at:], []byte(`":`))
	if end < 0 {
		return 0, -1
	}
	end += at
	start := bytes.LastIndexByte(b[:end], '"')
	if start < 0 {
		return 0, -1
	}
	return start + 1, end - start - 1
}
