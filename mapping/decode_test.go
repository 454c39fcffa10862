package mapping

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func all() map[string]*Object {
	objects, _ := Bind(nil)
	return objects
}

func TestFault_A12_CutOffAnswer(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/lead/remote.json")
	require.NoError(t, err)
	raw = []byte(strings.TrimSpace(string(raw)))
	for n := range len(raw) {
		_, err := DecodeRemote(Default("lead"), raw[:n:n], all())
		var de *DecodeError
		require.ErrorAs(t, err, &de, "cut at %d", n)
	}
}

func TestFault_A14_NotAnObject(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", "[]", "<html>", `{} {}`, `{"name":"x"}`, `{"id":7}`, `{"id":null}`} {
		_, err := DecodeRemote(Default("lead"), []byte(raw), nil)
		require.Error(t, err, raw)
	}
}

func TestFault_A15_FieldSetApart(t *testing.T) {
	t.Parallel()
	r, err := DecodeRemote(Default("opportunity"), []byte(`{"id":"o1","value":"12","note":"n","date_updated":5}`), nil)
	require.NoError(t, err)
	require.Equal(t, Record{"note": `"n"`}, r.Record)
	require.Equal(t, map[string]string{
		"value":        "field value: integer expected, got text",
		"date_updated": "field date_updated: date and time expected, got number",
	}, r.Invalid)
	require.True(t, r.Version.IsZero())
}

func TestFault_A16_UnknownKeys(t *testing.T) {
	t.Parallel()
	r, err := DecodeRemote(Default("lead"), []byte(`{"id":"l","new":{"a":[1]},"custom":{"X":1},"custom.cf_a":1.0,"custom.":2}`), nil)
	require.NoError(t, err)
	require.Equal(t, Record{"custom.cf_a": `1`}, r.Record)
}

func TestFault_A18_DuplicateAndCaseVariantKeys(t *testing.T) {
	t.Parallel()
	r, err := DecodeRemote(Default("lead"), []byte(`{"ID":"x","id":"y","Id":"z","Name":"no"}`), nil)
	require.NoError(t, err)
	require.Equal(t, "y", r.ID)
	require.Empty(t, r.Record)
	for _, raw := range []string{
		`{"id":"x","id":"y"}`, `{"id":"x","i\u0064":"y"}`, `{"id":"x","name":"a","name":"b"}`,
		`{"id":"x","name":1,"name":"b"}`, `{"id":"x","date_updated":"2026-01-01T00:00:00","date_updated":"2027-01-01T00:00:00"}`,
	} {
		_, err := DecodeRemote(Default("lead"), []byte(raw), nil)
		require.ErrorContains(t, err, "twice", raw)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	raw := `{"id":"l","contacts":[{"id":"c"},{"name":"x"}]}`
	_, err := DecodeRemote(Default("lead"), []byte(raw), all())
	var de *DecodeError
	require.ErrorAs(t, err, &de)
	require.Equal(t, "/contacts/1/id", de.Pointer)
	require.Equal(t, int64(strings.Index(raw, `{"name"`)), de.Offset)
	_, err = DecodeRemote(Default("lead"), []byte(`{"id":"l","a":[1,]}`), nil)
	require.ErrorAs(t, err, &de)
	require.Equal(t, "/a", de.Pointer)
}

func TestFillMissing(t *testing.T) {
	t.Parallel()
	o := Default("lead")
	o.Fields = append(o.Fields, Field{Close: "custom.cf_own", Column: "tier", Kind: Any})
	got := o.FillMissing(Record{"custom.cf_a": `1`}, Record{"custom.cf_a": `2`, "custom.cf_b": `3`, "name": `"n"`}, Record{"custom.cf_c": `4`})
	require.Equal(t, Record{"custom.cf_a": `1`, "custom.cf_b": Null, "custom.cf_c": Null, "custom.cf_own": Null}, got)
}

func TestFault_A31_EventWithoutData(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/event/event-nonadmin-old-no-data.json")
	require.NoError(t, err)
	e, err := DecodeEvent(raw)
	require.NoError(t, err)
	require.Equal(t, Missing, e.DataState)
	require.Equal(t, "opportunity", e.ObjectType)
	require.Len(t, e.ChangedFields, 6)
}

func TestDecodeEvents(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/event/event-*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.HasSuffix(file, "event-list.json") {
			continue
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		e, err := DecodeEvent(raw)
		require.NoError(t, err, file)
		require.False(t, e.Updated.IsZero(), file)
		require.NotEmpty(t, e.OrganizationID, file)
		switch filepath.Base(file) {
		case "event-lead-merged.json", "event-lead-deleted-by-merge.json":
			require.True(t, strings.HasPrefix(e.MergeSource, "lead_kTSO"), file)
			require.True(t, strings.HasPrefix(e.MergeInto, "lead_zvq"), file)
		case "event-lead-deleted.json":
			require.Equal(t, IsNull, e.DataState)
			require.Equal(t, Present, e.PreviousState)
		case "event-opportunity-created-by-own-key.json":
			require.NotEmpty(t, e.APIKeyID)
		}
		if o := Default(e.ObjectType); o != nil && e.DataState == Present {
			r, err := DecodeRemote(o, e.Data, nil)
			require.NoError(t, err, file)
			require.Equal(t, e.ObjectID, r.ID, file)
		}
	}
	for _, raw := range []string{`{}`, `[]`, `{"id":"e","id":"f"}`, `{"id":"e","object_type":"lead","object_id":"l","action":5}`} {
		_, err := DecodeEvent([]byte(raw))
		require.Error(t, err, raw)
	}
}

func TestFault_S12_NoBodyWithoutParent(t *testing.T) {
	t.Parallel()
	o := Default("contact")
	_, err := EncodeRemote(o, Record{"lead_id": LocalRef("7"), "name": `"x"`})
	require.ErrorContains(t, err, "no Close id")
	_, err = EncodeRemote(o, Record{"nope": `1`})
	require.Error(t, err)
	b, err := EncodeRemote(o, Record{"name": Null, "emails": `[{"email":"a","is_unsubscribed":true,"type":"home"}]`})
	require.NoError(t, err)
	require.Equal(t, `{"emails":[{"email":"a","type":"home"}],"name":null}`, string(b))
}

func BenchmarkDecodeRemote(b *testing.B) {
	raw, err := os.ReadFile("testdata/lead/remote.json")
	if err != nil {
		b.Fatal(err)
	}
	o, nested := Default("lead"), all()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRemote(o, raw, nested); err != nil {
			b.Fatal(err)
		}
	}
}
