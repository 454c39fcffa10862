package mapping

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files and the table of fields in docs/mapping.md")

const document = "../docs/mapping.md"

// TestRegistry fails by name for whatever an object type lacks: a column, a
// payload of Close, a golden file, a row in the document.
func TestRegistry(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"lead", "contact", "opportunity"}, Types(), "parents come first")
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	whole := documented(t, string(text))
	if *update {
		text = whole
	}
	prefixes, nested := map[string]bool{}, map[string]bool{}
	for i, objectType := range Types() {
		o := Default(objectType)
		require.Equal(t, objectType, o.Type)
		require.Regexp(t, `^[a-z]+_$`, o.Prefix, "%s needs the prefix of its ids", objectType)
		require.False(t, prefixes[o.Prefix] || o.Nested != "" && nested[o.Nested], objectType)
		prefixes[o.Prefix], nested[o.Nested] = true, true
		have := columnsOf(t, o.Table)
		require.Equal(t, "bigint", have[o.Key], "%s has no key", o.Table)
		require.Equal(t, "text", have[o.CloseID], "%s has no close_id", o.Table)
		require.Equal(t, "jsonb", have[o.Custom], "%s has no column of custom fields", o.Table)
		closeNames, columns := map[string]bool{}, map[string]bool{o.Key: true, o.CloseID: true, o.Custom: true}
		for _, f := range o.Fields {
			where := objectType + "." + f.Close
			require.False(t, closeNames[f.Close], "%s is there twice", where)
			require.False(t, columns[f.Column], "column of %s is taken", where)
			closeNames[f.Close], columns[f.Column] = true, true
			require.Contains(t, have, f.Column, "no migration makes the column %s of %s", f.Column, where)
			requireFits(t, where, f, have[f.Column])
			require.Contains(t, string(text), row(f, have), "%s has no row in %s (go test ./mapping -update)", where, document)
			if f.Kind == Reference {
				require.Contains(t, Types()[:i], f.Parent, "%s: parents come first", where)
			}
		}
		require.Len(t, have, len(columns), "%s has columns that hold no field: %v", o.Table, have)
		for _, file := range []string{"remote.json", "record.golden", "row.golden", "body.golden"} {
			require.FileExists(t, filepath.Join("testdata", objectType, file))
		}
	}
	golden(t, document, whole)
}

// requireFits: a column must be able to hold what its field holds.
func requireFits(t *testing.T, where string, f Field, column string) {
	t.Helper()
	kind, ok := KindForColumn(column)
	require.True(t, ok, "%s: no field lives in a column of type %s", where, column)
	switch f.Kind {
	case List, JSON:
		require.Equal(t, "jsonb", column, where)
	case Reference:
		require.Equal(t, Default(f.Parent).KeyType, column, where)
	default:
		require.Equal(t, f.Kind, kind, "%s in a column of type %s", where, column)
	}
}

// columnsOf reads the columns of a built-in table from the migrations.
func columnsOf(t *testing.T, table Table) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../migrations/*.up.sql")
	require.NoError(t, err)
	body := ""
	for _, file := range files {
		sql, err := os.ReadFile(file)
		require.NoError(t, err)
		if _, rest, ok := strings.Cut(string(sql), "CREATE TABLE "+table.String()+" ("); ok {
			body, _, _ = strings.Cut(rest, "\n);")
		}
	}
	require.NotEmpty(t, body, "no migration makes %s", table)
	columns := map[string]string{}
	for _, part := range strings.Split(regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(body, ""), ",") {
		words := strings.Fields(part)
		require.GreaterOrEqual(t, len(words), 2, part)
		columns[words[0]] = words[1]
		if words[1] == "int" {
			columns[words[0]] = "integer" // as the catalogue calls it
		}
	}
	return columns
}

var kindNames = map[Kind]string{Text: "text", Integer: "integer", Number: "number", Boolean: "boolean", Date: "date",
	Timestamp: "timestamp", JSON: "JSON", List: "list", Reference: "reference", Any: "any"}

// row is a field's line in the document.
func row(f Field, columns map[string]string) string {
	notes := []string{}
	if f.ReadOnly {
		notes = append(notes, "read-only")
	}
	if f.Required {
		notes = append(notes, "required")
	}
	if f.Parent != "" {
		notes = append(notes, "the row of the "+f.Parent)
	}
	return fmt.Sprintf("| `%s` | `%s` %s | %s | %s |\n", f.Close, f.Column, columns[f.Column], kindNames[f.Kind], strings.Join(notes, ", "))
}

// documented is the document with its table as the registry has it.
func documented(t *testing.T, text string) []byte {
	t.Helper()
	head, rest, ok := strings.Cut(text, "<!-- begin: fields -->\n")
	require.True(t, ok)
	_, tail, ok := strings.Cut(rest, "<!-- end: fields -->\n")
	require.True(t, ok)
	var b bytes.Buffer
	b.WriteString(head + "<!-- begin: fields -->\n")
	for _, objectType := range Types() {
		o := Default(objectType)
		columns := columnsOf(t, o.Table)
		fmt.Fprintf(&b, "\n### %s: `%s`\n\n| Close | column | kind | |\n|---|---|---|---|\n", objectType, o.Table)
		for _, f := range o.Fields {
			b.WriteString(row(f, columns))
		}
	}
	b.WriteString("\n<!-- end: fields -->\n" + tail)
	return b.Bytes()
}

// TestGolden reads each payload, and writes what was read back as a row and as
// a body.
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
		golden(t, filepath.Join(dir, "row.golden"), rowOf(o, r))

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
		}
		for _, f := range o.Fields {
			text, ok := ColumnText(r.Record.Get(f.Close))
			require.NotEqual(t, r.Record.Get(f.Close).IsNull(), ok, "%s.%s has a column text", objectType, f.Close)
			if _, jsonb := map[Kind]bool{List: true, JSON: true}[f.Kind]; ok && !jsonb && f.Kind != Reference {
				again, err := FromColumn(f, []byte(columnJSON(f, text)))
				require.NoError(t, err)
				require.Equal(t, r.Record.Get(f.Close), again, "%s.%s comes back from its column", objectType, f.Close)
			}
		}
	}
}

// columnJSON is what to_jsonb makes of a column's text.
func columnJSON(f Field, text string) string {
	switch f.Kind {
	case Integer, Number, Boolean:
		return text
	}
	return string(appendQuoted(nil, []byte(text)))
}

// rowOf prints the row that a record becomes: each column's text, then the
// custom fields without a column.
func rowOf(o *Object, r Remote) []byte {
	var b bytes.Buffer
	columns := map[string]bool{}
	for _, f := range o.Fields {
		columns[f.Close] = true
		text, ok := ColumnText(r.Record.Get(f.Close))
		if !ok {
			text = "NULL"
		}
		fmt.Fprintf(&b, "%s = %s\n", f.Column, text)
	}
	for _, name := range sortedNames(r.Record) {
		if v, ok := ColumnJSON(r.Record[name]); ok && !columns[name] {
			fmt.Fprintf(&b, "%s -> %s = %s\n", o.Custom, strings.TrimPrefix(name, "custom."), v)
		}
	}
	return b.Bytes()
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

func TestTypesByName(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"lead_1": "lead", "cont_1": "contact", "oppo_1": "opportunity", "lead_": "", "user_1": "", "": ""} {
		require.Equal(t, want, TypeOfID(id), id)
	}
	require.Equal(t, "contact", TypeOfEvent("contact"))
	require.Equal(t, "task.lead", TypeOfEvent("task.lead"), "what is not ours keeps its name")
}
