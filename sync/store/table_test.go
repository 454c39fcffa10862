package store

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/mapping"
)

func TestReadTable_QuotesEveryName(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), `CREATE SCHEMA "a;b"; CREATE TABLE "a;b"."t""x" ("id'" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "C" text, "select" varchar(9), j jsonb NOT NULL)`)
	require.NoError(t, err)
	o := &mapping.Object{Type: "lead", Table: mapping.Table{Schema: "a;b", Name: `t"x`}, Key: "id'", CloseID: "C", Fields: []mapping.Field{
		{Close: "name", Column: "select", Kind: mapping.Text}, {Close: "addresses", Column: "j", Kind: mapping.JSON}, {Close: "url", Column: "gone", Kind: mapping.Text}}}
	got, err := readTable(t.Context(), pool, o)
	require.NoError(t, err)
	require.Equal(t, `"a;b"."t""x"`, got.name)
	require.Equal(t, `"id'"`, got.key)
	require.Equal(t, "bigint", got.keyCast)
	require.Equal(t, `nextval((SELECT pg_get_serial_sequence('"a;b"."t""x"', 'id''')::regclass))`, got.newKey)
	require.Equal(t, []string{"gone"}, got.missing)
	require.Len(t, got.columns, 2)
	require.Equal(t, column{field: o.Fields[0], name: `"select"`, cast: "character varying", exact: "character varying(9)", typname: "varchar"}, got.columns[0])
	require.Equal(t, column{field: o.Fields[1], name: `"j"`, cast: "jsonb", exact: "jsonb", typname: "jsonb", json: true, empty: "[]"}, got.columns[1])
}

func TestReadTable_SaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), `CREATE TABLE public.t (k bigint PRIMARY KEY, c text)`)
	require.NoError(t, err)
	for want, o := range map[string]mapping.Object{
		"public.gone":                 {Table: mapping.Table{Schema: "public", Name: "gone"}, Key: "k", CloseID: "c"},
		`no key column "id"`:          {Table: mapping.Table{Schema: "public", Name: "t"}, Key: "id", CloseID: "c"},
		`no column "x" for the Close`: {Table: mapping.Table{Schema: "public", Name: "t"}, Key: "k", CloseID: "x"},
	} {
		_, err := readTable(t.Context(), pool, &o)
		require.ErrorIs(t, err, ErrNoTable)
		require.ErrorContains(t, err, want)
	}
}
