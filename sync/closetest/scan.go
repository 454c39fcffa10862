package closetest

// This file reads members of an encoded object without decoding it. It may
// assume what encode.go and seed.go guarantee: valid JSON, no space between
// tokens, keys without escapes, each key once.

// eachMember calls f with every key and raw value; f returns false to stop.
func eachMember(raw []byte, f func(key, val []byte) bool) {
	i := 1
	for i < len(raw) && raw[i] != '}' {
		if raw[i] == ',' {
			i++
		}
		end := skipString(raw, i)
		key := raw[i+1 : end-1]
		start := end + 1 // past the colon
		i = skipValue(raw, start)
		if !f(key, raw[start:i]) {
			return
		}
	}
}

// member is the raw value of one key, nil when absent.
func member(raw []byte, key string) (val []byte) {
	eachMember(raw, func(k, v []byte) bool {
		if string(k) == key {
			val = v
			return false
		}
		return true
	})
	return val
}

// eachItem calls f with every raw item of an encoded array.
func eachItem(raw []byte, f func(item []byte) bool) {
	i := 1
	for i < len(raw) && raw[i] != ']' {
		if raw[i] == ',' {
			i++
		}
		end := skipValue(raw, i)
		if !f(raw[i:end]) {
			return
		}
		i = end
	}
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}
