package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxMatchKeys bounds the keys of one record, whose lists multiply.
const maxMatchKeys = 64

// MatchKeys gives the keys under which a record meets its counterpart on the
// other side at a first start: equal in every field of the object's match
// rule. An item of a list stands for the list, as one of several e-mail
// addresses. nil if there is no rule, or a field of it is empty or not known:
// emptiness proves nothing.
func (o *Object) MatchKeys(r Record) []string {
	if len(o.Match) == 0 {
		return nil
	}
	keys := []string{""}
	for _, name := range o.Match {
		f, _ := o.Field(name)
		values := matchValues(f, r.Get(name))
		if len(values) == 0 {
			return nil
		}
		var longer []string
		for _, key := range keys {
			for _, v := range values {
				longer = append(longer, key+name+"\x00"+v+"\x00")
			}
		}
		keys = longer[:min(len(longer), maxMatchKeys)]
	}
	for i, key := range keys {
		sum := sha256.Sum256([]byte(key))
		keys[i] = hex.EncodeToString(sum[:16])
	}
	return keys
}

// matchValues are the texts that a value is known by, each as matchForm has it.
func matchValues(f Field, v Value) []string {
	if v.IsNull() || IsLocalRef(v) {
		return nil
	}
	items := []Value{v}
	if IsSet(f, v) {
		items = Items(v)
	}
	var list []string
	seen := map[string]bool{}
	for _, item := range items {
		key := ItemKey(f, item)
		text, ok := key.Text()
		if !ok {
			text = string(key)
		}
		if text = matchForm(f, text); !key.IsNull() && text != "" && !seen[text] {
			seen[text] = true
			list = append(list, text)
		}
	}
	return list
}

// matchForm takes out of a text what people write in different ways: case,
// spaces beyond one between words, the punctuation of a telephone number.
func matchForm(f Field, text string) string {
	if f.Close == "phones" {
		return strings.Map(func(r rune) rune {
			if r == '+' || (r >= '0' && r <= '9') {
				return r
			}
			return -1
		}, text)
	}
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}
