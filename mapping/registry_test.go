package mapping

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRegistry fails by name for whatever an object type lacks.
func TestRegistry(t *testing.T) {
	t.Parallel()
	require.Len(t, order, len(builders), "order must name every object type")
	for i, objectType := range Types() {
		o := Default(objectType)
		require.NotNil(t, o, objectType)
		require.Equal(t, objectType, o.Type)
		closeNames, columns := map[string]bool{}, map[string]bool{o.Key: true, o.CloseID: true, o.Custom: true}
		for _, f := range o.Fields {
			where := objectType + "." + f.Close
			require.NotEmpty(t, f.Column, where)
			require.False(t, closeNames[f.Close], "%s is there twice", where)
			require.False(t, columns[f.Column], "column of %s is taken", where)
			closeNames[f.Close], columns[f.Column] = true, true
			if f.Kind == Reference {
				require.Contains(t, Types()[:i], f.Parent, "%s: parents come first", where)
			}
		}
		require.FileExists(t, filepath.Join("testdata", objectType, "remote.json"), "%s needs a payload of Close", objectType)
	}
}

// TestGolden reads each payload, and writes what was read back as a body.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, objectType := range Types() {
		dir := filepath.Join("testdata", objectType)
		raw, err := os.ReadFile(filepath.Join(dir, "remote.json"))
		require.NoError(t, err)
		o := Default(objectType)
		r, err := DecodeRemote(o, raw, all())
		require.NoError(t, err)
		require.Empty(t, r.Invalid)
		golden(t, filepath.Join(dir, "record.golden"), describe(r))

		set := Record{}
		for name, v := range r.Record {
			if f, _ := o.Field(name); !f.ReadOnly {
				set[name] = v
			}
		}
		body, err := EncodeRemote(o, set)
		require.NoError(t, err)
		golden(t, filepath.Join(dir, "body.golden"), append(body, '\n'))

		back, err := DecodeRemote(o, append([]byte(`{"id":"x",`), body[1:]...), nil)
		require.NoError(t, err)
		for name, v := range set {
			f, _ := o.Field(name)
			require.True(t, Same(f, v, back.Record.Get(name)), "%s.%s survives the round trip", objectType, name)
			if !IsSet(f, v) {
				text, _ := ColumnText(v)
				require.NotEqual(t, v.IsNull(), text != "", "%s.%s has a column text", objectType, name)
			}
		}
	}
}

func describe(r Remote) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s version %s created %s\n", r.Type, r.ID, FormatTime(r.Version), FormatTime(r.Created))
	for _, name := range sortedNames(r.Record) {
		fmt.Fprintf(&b, "  %s = %s\n", name, r.Record[name])
	}
	for _, n := range r.Nested {
		b.Write(describe(n))
	}
	return b.Bytes()
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), string(got)), file)
}
