package mapping

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// The functions here walk JSON text that a jsontext.Decoder has already found
// valid, so they need no error for broken syntax.

// skipSpace returns the position of the next byte that is no white space.
func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\t' || src[i] == '\r') {
		i++
	}
	return i
}

// endOf returns the position behind the value that starts at i.
func endOf(src []byte, i int) int {
	switch src[i] {
	case '"':
		return endOfString(src, i)
	case '{', '[':
		depth := 0
		for ; i < len(src); i++ {
			switch src[i] {
			case '"':
				i = endOfString(src, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(src) {
		switch src[i] {
		case ',', '}', ']', ' ', '\n', '\t', '\r', ':':
			return i
		}
		i++
	}
	return i
}

func endOfString(src []byte, i int) int {
	for i++; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// appendCanon appends the canonical form of any value: compact, keys sorted
// by their bytes, numbers exact, texts cleaned.
func appendCanon(dst, src []byte) ([]byte, error) {
	switch src[0] {
	case '"':
		return appendText(dst, src), nil
	case '{':
		return appendCanonObject(dst, src)
	case '[':
		return appendCanonArray(dst, src)
	case 't', 'f', 'n':
		return append(dst, src...), nil
	}
	return appendNumber(dst, src)
}

func appendCanonArray(dst, src []byte) ([]byte, error) {
	var err error
	dst = append(dst, '[')
	n := 0
	for item := range items(src) {
		if n++; n > 1 {
			dst = append(dst, ',')
		}
		if dst, err = appendCanon(dst, item); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// member is one key of an object, both parts canonical.
type member struct{ key, value string }

// members returns an object's members in canonical form, sorted by key. A key
// that occurs twice is refused: which one counts differs from reader to
// reader (fault A18).
func members(src []byte) ([]member, error) {
	ms := make([]member, 0, 8)
	for key, raw := range pairs(src) {
		value, err := appendCanon(make([]byte, 0, len(raw)), raw)
		if err != nil {
			return nil, err
		}
		ms = append(ms, member{string(appendText(nil, key)), string(value)})
	}
	slices.SortFunc(ms, func(a, b member) int { return compareKeys(a.key, b.key) })
	for i := 1; i < len(ms); i++ {
		if ms[i].key == ms[i-1].key {
			return nil, fmt.Errorf("key %s occurs twice", ms[i].key)
		}
	}
	return ms, nil
}

// compareKeys orders quoted keys by their content: the closing quote would
// otherwise put "a" behind "a!".
func compareKeys(a, b string) int {
	return strings.Compare(a[:len(a)-1], b[:len(b)-1])
}

// appendCanonObject writes the members as they come while their keys are in
// order, and only begins anew, sorted, when they are not.
func appendCanonObject(dst, src []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, '{')
	last, end := 0, 0 // the key before, within dst
	for key, raw := range pairs(src) {
		if end > 0 {
			dst = append(dst, ',')
		}
		at := len(dst)
		dst = appendText(dst, key)
		if end > 0 && bytes.Compare(dst[last:end-1], dst[at:len(dst)-1]) >= 0 {
			return appendSortedObject(dst[:start], src)
		}
		last, end = at, len(dst)
		dst = append(dst, ':')
		var err error
		if dst, err = appendCanon(dst, raw); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendSortedObject(dst, src []byte) ([]byte, error) {
	ms, err := members(src)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, m := range ms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.key...)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}'), nil
}

// items yields the raw items of an array.
func items(src []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		i := skipSpace(src, 1)
		for i < len(src) && src[i] != ']' {
			end := endOf(src, i)
			if !yield(src[i:end]) {
				return
			}
			if i = skipSpace(src, end); i < len(src) && src[i] == ',' {
				i = skipSpace(src, i+1)
			}
		}
	}
}

// pairs yields the raw members of an object: key with quotes, and value.
func pairs(src []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		i := skipSpace(src, 1)
		for i < len(src) && src[i] != '}' {
			keyEnd := endOfString(src, i)
			start := skipSpace(src, skipSpace(src, keyEnd)+1)
			end := endOf(src, start)
			if !yield(src[i:keyEnd], src[start:end]) {
				return
			}
			if i = skipSpace(src, end); i < len(src) && src[i] == ',' {
				i = skipSpace(src, i+1)
			}
		}
	}
}
