package mapping

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var emails = Field{Close: "emails", Kind: List, Identity: []string{"email", "type"}}

func TestCanon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind      Kind
		raw, want string
	}{
		{Text, `null`, `null`}, {Text, `""`, `null`}, {Text, ` "a" `, `"a"`},
		{Text, `"  "`, `"  "`}, {Text, `"\u20ac"`, `"€"`}, {Text, `"a\/b"`, `"a/b"`},
		{Text, `"a\nb\u001f"`, `"a\nb\u001f"`}, {Text, `"<&>"`, `"<&>"`},
		{Text, `"\ud83d\ude00"`, `"😀"`},
		{Integer, `12`, `12`}, {Integer, `1.0`, `1`}, {Integer, `1e2`, `100`}, {Integer, `-0`, `0`}, {Integer, `""`, `null`},
		{Integer, `9223372036854775807`, `9223372036854775807`},
		{Number, `0.10`, `0.1`}, {Number, `100.50e-1`, `10.05`}, {Number, `1E+3`, `1000`}, {Number, `0.000`, `0`},
		{Number, `1e400`, `1e400`}, {Number, `12e-400`, `1.2e-399`}, {Number, `0.0012`, `0.0012`},
		{Boolean, `true`, `true`}, {Boolean, `false`, `false`},
		{Date, `"2026-02-28"`, `"2026-02-28"`}, {Date, `""`, `null`},
		{Timestamp, `"2026-11-03T10:04:10.551000+00:00"`, `"2026-11-03T10:04:10.551Z"`},
		{Timestamp, `"2026-11-03T12:04:10.5+02:00"`, `"2026-11-03T10:04:10.5Z"`},
		{Timestamp, `"2026-11-03T10:04:10"`, `"2026-11-03T10:04:10Z"`},
		{Timestamp, `"2026-11-03 10:04:10.1+00"`, `"2026-11-03T10:04:10.1Z"`},
		{Timestamp, `"2026-11-03T04:34:10-05:30"`, `"2026-11-03T10:04:10Z"`},
		{List, `[]`, `null`}, {List, `[null,"b","a"]`, `["b","a"]`},
		{JSON, `{}`, `null`}, {JSON, `{"b":1.0,"a":{"d":"","c":[ ]}}`, `{"a":{"c":[],"d":""},"b":1}`},
		{JSON, `{"a!":1,"a":2}`, `{"a":2,"a!":1}`},
		{Any, `"40"`, `"40"`}, {Any, `40.0`, `40`}, {Any, `["x"]`, `["x"]`},
		{Reference, `"lead_1"`, `"lead_1"`}, {Reference, `{"local":"7"}`, `{"local":"7"}`},
	} {
		f := Field{Close: "f", Kind: c.kind}
		got, err := Canon(f, []byte(c.raw))
		require.NoError(t, err, "%d %s", c.kind, c.raw)
		require.Equal(t, Value(c.want), got, "%d %s", c.kind, c.raw)
		again, err := Canon(f, []byte(got))
		require.NoError(t, err)
		require.Equal(t, got, again, "canon is idempotent")
	}
}

func TestFault_A15_WrongTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		f         Field
		raw, want string
	}{
		{Field{Close: "name"}, `12`, "text expected, got number"},
		{Field{Close: "name"}, `[]`, "text expected, got a list"},
		{Field{Close: "value", Kind: Integer}, `"12"`, "integer expected, got text"},
		{Field{Close: "value", Kind: Integer}, `1.5`, "got a fraction"},
		{Field{Close: "value", Kind: Integer}, `9223372036854775808`, "out of range"},
		{Field{Close: "value", Kind: Number}, `1e999999`, "out of range"},
		{Field{Close: "ok", Kind: Boolean}, `1`, "boolean expected"},
		{Field{Close: "day", Kind: Date}, `"2026-02-30"`, "not a date"},
		{Field{Close: "at", Kind: Timestamp}, `"infinity"`, "not a date and time"},
		{Field{Close: "at", Kind: Timestamp}, `1762164250`, "date and time expected, got number"},
		{emails, `{"email":"a"}`, "a list expected, got an object"},
		{emails, `["secret@x.example"]`, "item 1: an object expected, got text"},
		{Field{Close: "j", Kind: JSON}, `{"a":1,"a":2}`, "occurs twice"},
		{Field{Close: "lead_id", Kind: Reference}, `{"id":"x"}`, "an id expected"},
		{Field{Close: "name"}, `"cut`, "not JSON"}, {Field{Close: "name"}, ``, "not JSON"},
	} {
		_, err := Canon(c.f, []byte(c.raw))
		require.ErrorContains(t, err, c.want, c.raw)
		require.ErrorContains(t, err, "field "+c.f.Close)
		require.NotContains(t, err.Error(), "secret", "contents are never shown")
	}
}

func TestFault_A17_BigIntegers(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"9007199254740993", "-9007199254740993", "123456789012345678901234567890", "0.1234567890123456789012345"} {
		v, err := Canon(Field{Kind: Number}, []byte(n))
		require.NoError(t, err)
		require.Equal(t, Value(n), v)
	}
}

func TestFault_A19_NulAndLoneSurrogate(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"a\u0000b"`: `"ab"`, `"\u0000"`: `null`, `"\ud800"`: `"�"`, `"\udc00x"`: `"�x"`,
		`"\ud800\u0041"`: `"�A"`, "\"a\xffb\"": `"a�b"`,
	} {
		v, err := Canon(Field{}, []byte(raw))
		require.NoError(t, err, raw)
		require.Equal(t, Value(want), v, raw)
	}
	v, err := Canon(Field{Kind: JSON}, []byte(`{"k\u0000":["\u0000"]}`))
	require.NoError(t, err)
	require.Equal(t, Value(`{"k":[""]}`), v)
}

func TestFault_C34_Microseconds(t *testing.T) {
	t.Parallel()
	v, err := Canon(Field{Kind: Timestamp}, []byte(`"2026-11-03T10:04:10.123456789Z"`))
	require.NoError(t, err)
	require.Equal(t, Value(`"2026-11-03T10:04:10.123456Z"`), v)
	require.Equal(t, v, TimeValue(time.Date(2026, 11, 3, 10, 4, 10, 123456789, time.UTC)))
}

func TestFault_S29_ListsAreMultisets(t *testing.T) {
	t.Parallel()
	a := Value(`[{"email":"a","type":"home"},{"email":"b","type":"office"}]`)
	b := Value(`[{"email":"b","is_unsubscribed":true,"type":"office"},{"email":"a","type":"home","x":null}]`)
	require.True(t, Same(emails, a, b), "order and derived keys do not count")
	require.False(t, Identical(emails, a, b))
	require.Equal(t, Value(`[{"email":"b","type":"office"},{"email":"a","type":"home"}]`), WriteForm(emails, b))
	require.False(t, Same(emails, a, `[{"email":"a","type":"home"}]`))
	tags := Field{Kind: List}
	require.True(t, Same(tags, `["a","b"]`, `["b","a"]`))
	require.False(t, Same(tags, `["a","a","b"]`, `["a","b","b"]`), "items are counted")
	require.False(t, Same(Field{Kind: JSON}, `["a","b"]`, `["b","a"]`), "plain JSON keeps its order")
	require.True(t, Same(tags, "", Null))
	require.Equal(t, Null, WriteForm(emails, `[{"is_unsubscribed":true}]`))
}

func TestColumnText(t *testing.T) {
	t.Parallel()
	for v, want := range map[Value]string{`"a\"b"`: `a"b`, `12`: `12`, `true`: `true`, `["a"]`: `["a"]`} {
		got, ok := ColumnText(v)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok := ColumnText(Null)
	require.False(t, ok)
	require.Equal(t, Value(`"a�"`), TextValue("a\x00\xff"))
}

func TestBaseRoundTrip(t *testing.T) {
	t.Parallel()
	r := Record{"name": `"a\"b"`, "value": `9007199254740993`, "tags": `["b","a"]`, "note": Null}
	b := EncodeBase(r)
	require.Equal(t, `{"name":"a\"b","tags":["b","a"],"value":9007199254740993}`, string(b))
	got, err := DecodeBase([]byte(` {"value": 9007199254740993, "name": "a\"b", "tags": ["b", "a"]} `))
	require.NoError(t, err)
	delete(r, "note")
	require.Equal(t, r, got)
	require.Equal(t, Hash(r), Hash(Record{"tags": r["tags"], "value": r["value"], "name": r["name"], "gone": Null}))
	require.Equal(t, int64(-7622403294883288590), Hash(Record{"name": `"a"`}), "the digest is stored: it must never change")
	_, err = DecodeBase([]byte(`{"a":`))
	require.Error(t, err)
}

// FuzzCanon: no panic, idempotent, and no value is invented.
func FuzzCanon(f *testing.F) {
	for _, s := range []string{`null`, `"a\u0000"`, `1e5`, `[{"email":"a"}]`, `{"b":[1,{}],"a":""}`, `"2026-11-03T10:04:10Z"`, `{"local":"x"}`, `"\ud800"`} {
		for k := Text; k <= Any; k++ {
			f.Add(uint8(k), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		field := Field{Close: "f", Kind: Kind(kind % uint8(Any+1))}
		if kind > 127 {
			field.Identity = []string{"email"}
		}
		v, err := Canon(field, raw)
		if err != nil {
			return
		}
		again, err := Canon(field, []byte(v))
		require.NoError(t, err, "%s", v)
		require.Equal(t, v, again)
		require.True(t, Same(field, v, v))
		form := WriteForm(field, v)
		require.True(t, Same(field, v, form), "%s %s", v, form)
		require.NotContains(t, string(v), "\x00")
	})
}
