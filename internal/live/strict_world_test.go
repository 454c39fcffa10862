package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/internal/strictfake"
	"closesync/internal/testdb"
)

// stranger is the real binary between a database and an imitation of Close
// that knows nothing of this program.
type stranger struct {
	*world
	close *strictfake.Server
}

// newStranger starts the imitation; no worker runs yet.
func newStranger(t *testing.T, o strictfake.Options, env ...string) *stranger {
	t.Helper()
	s := &stranger{
		world: &world{World: &harness.World{T: t, DSN: testdb.New(t)}, listen: freeAddress(t)},
		close: strictfake.Start(t, o),
	}
	s.env = append([]string{
		"CLOSE_API_KEY=" + s.close.Key, "CLOSE_BASE_URL=" + s.close.BaseURL(), "DATABASE_URL=" + s.DSN,
		"CLOSESYNC_LISTEN=" + s.listen, "CLOSESYNC_LOG_FORMAT=json",
	}, env...)
	pool, err := pgxpool.New(t.Context(), s.DSN)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s.Pool = pool
	t.Cleanup(func() {
		require.Empty(t, strings.Join(s.close.Violations(), "\n"), "calls that Close does not document")
		if t.Failed() && testing.Verbose() {
			for _, r := range s.close.Requests() {
				t.Log(r)
			}
		}
	})
	return s
}

// once runs `run --once` to its end.
func (s *stranger) once(args ...string) {
	s.T.Helper()
	code, out, log := command(s.T.(*testing.T), s.env, append([]string{"run", "--once"}, args...)...)
	require.Equal(s.T, 0, code, "%s\n%s", out, lastLines(log, 40))
}

// exec runs SQL that must work.
func (s *stranger) exec(sql string, args ...any) {
	s.T.Helper()
	_, err := s.Pool.Exec(context.Background(), sql, args...)
	require.NoError(s.T, err)
}

// text scans one value as text; "" for null and for no row.
func (s *stranger) text(sql string, args ...any) string {
	s.T.Helper()
	var v *string
	err := s.Pool.QueryRow(context.Background(), sql, args...).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) || v == nil {
		return ""
	}
	require.NoError(s.T, err)
	return *v
}

// rows are the tables of contract.md §4 as JSON, with parents as Close ids.
var rows = map[string]string{
	"lead": `SELECT (to_jsonb(l) - 'id')::text FROM crm.leads l`,
	"contact": `SELECT (to_jsonb(c) - 'id' || jsonb_build_object('lead_id', l.close_id))::text
		FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id`,
	"opportunity": `SELECT (to_jsonb(o) - 'id' || jsonb_build_object('lead_id', l.close_id, 'contact_id', c.close_id))::text
		FROM crm.opportunities o JOIN crm.leads l ON l.id = o.lead_id LEFT JOIN crm.contacts c ON c.id = o.contact_id`,
}

// difference compares every record of Close with its row, field by field; ""
// if both sides hold the same.
func (s *stranger) difference() string {
	s.T.Helper()
	var problems []string
	for kind, sql := range rows {
		have := map[string]map[string]any{}
		found, err := s.Pool.Query(context.Background(), sql)
		require.NoError(s.T, err)
		list, err := pgx.CollectRows(found, pgx.RowTo[string])
		require.NoError(s.T, err)
		for _, text := range list {
			row := map[string]any{}
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber() // digits beyond 2^53 count
			require.NoError(s.T, d.Decode(&row))
			id, _ := row["close_id"].(string)
			have[id] = row
		}
		ids := s.close.All(kind)
		if len(list) != len(ids) {
			problems = append(problems, fmt.Sprintf("%d rows of %d %ss", len(list), len(ids), kind))
		}
		for _, id := range ids {
			if have[id] == nil {
				problems = append(problems, fmt.Sprintf("no row of %s", id))
				continue
			}
			problems = append(problems, compare(id, have[id], s.close.Get(id))...)
		}
	}
	return strings.Join(problems, "\n")
}

// compare tells which columns do not hold what Close has.
func compare(id string, row, record map[string]any) []string {
	var problems []string
	custom, _ := row["custom"].(map[string]any)
	for key, v := range record {
		if name, ok := strings.CutPrefix(key, "custom."); ok {
			if !sameJSON(custom[name], v) {
				problems = append(problems, fmt.Sprintf("%s: custom %s is %v, Close has %v", id, name, custom[name], v))
			}
			delete(custom, name)
		}
	}
	for name := range custom {
		problems = append(problems, fmt.Sprintf("%s: custom %s is not in Close", id, name))
	}
	for column, v := range row {
		want, known := record[column]
		if column == "custom" || column == "close_id" || column == "date_updated" || !known {
			continue
		}
		if strings.HasPrefix(column, "date_") && column != "date_won" {
			v, want = moment(v), moment(want)
		}
		if !sameJSON(v, want) {
			problems = append(problems, fmt.Sprintf("%s: %s is %v, Close has %v", id, column, v, want))
		}
	}
	return problems
}

func moment(v any) any {
	text, _ := v.(string)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().String()
		}
	}
	return v
}

// sameJSON: empty text equals null.
func sameJSON(a, b any) bool {
	if a == "" {
		a = nil
	}
	if b == "" {
		b = nil
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// equal waits until both sides hold the same.
func (s *stranger) equal() {
	s.T.Helper()
	var problem string
	defer func() {
		if s.T.(*testing.T).Failed() {
			s.T.(*testing.T).Log(problem)
		}
	}()
	s.until("both sides are equal", func() bool {
		problem = s.difference()
		return problem == ""
	})
}
