package store

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
)

func TestCopier_Escapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":          "",
		`\`:         `\\`,
		`\N`:        `\\N`,
		`\.`:        `\\.`,
		"a\tb\nc\r": `a\tb\nc\r`,
		"é🙂":        "é🙂",
	} {
		var c copier
		c.begin()
		c.text(in)
		c.null()
		c.end()
		require.Equal(t, want+"\t\\N\n", string(c.buf))
	}
}

func TestCopier_PostgresReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	texts := []string{"", `\`, `\N`, `\.`, "\t", "\n", "\r", "\r\n", `\\n`, `"`, "'", `a\tb`, "é🙂", strings.Repeat("x\\\t", 5000)}
	pool, err := pgxpool.New(t.Context(), testdb.New(t))
	require.NoError(t, err)
	defer pool.Close()
	var got []string
	err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "CREATE TEMP TABLE copied (n int, v text, nothing text) ON COMMIT DROP"); err != nil {
			return err
		}
		var c copier
		for i, v := range texts {
			c.begin()
			c.text(itoa(int64(i)))
			c.text(v)
			c.optional("", false)
			c.end()
		}
		if err := c.run(t.Context(), tx, "copied", []string{"n", "v", "nothing"}); err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), "SELECT v FROM copied WHERE nothing IS NULL ORDER BY n")
		if err != nil {
			return err
		}
		got, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	require.NoError(t, err)
	require.Equal(t, texts, got)
}

func TestAssignKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		list   []*rekeyed
		places map[string]string
		next   map[string]string
		want   []string
	}{
		"a key that moved":         {[]*rekeyed{{Key: "1", CloseID: "a"}}, map[string]string{"a": "2"}, map[string]string{"1": "2"}, []string{"2"}},
		"two that change places":   {[]*rekeyed{{Key: "1", CloseID: "a"}, {Key: "2", CloseID: "b"}}, map[string]string{"a": "2", "b": "1"}, map[string]string{"1": "2", "2": "1"}, []string{"2", "1"}},
		"a chain without an id":    {[]*rekeyed{{Key: "1"}}, nil, map[string]string{"1": "2", "2": "3"}, []string{"3"}},
		"a circle ends":            {[]*rekeyed{{Key: "1"}}, nil, map[string]string{"1": "2", "2": "1"}, []string{"1"}},
		"nobody gets a taken key":  {[]*rekeyed{{Key: "1"}, {Key: "2", CloseID: "b"}}, map[string]string{"b": "3"}, map[string]string{"1": "3"}, []string{"", "3"}},
		"a row deleted afterwards": {[]*rekeyed{{Key: "1", CloseID: "a"}}, nil, map[string]string{"1": "2"}, []string{"2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range assignKeys(c.list, c.places, c.next) {
				got = append(got, r.now)
			}
			require.Equal(t, c.want, got)
		})
	}
}
