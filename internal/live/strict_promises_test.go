package live

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/strictfake"
	"closesync/internal/testdb"
)

const often = `schedule: {events: "@every 1s", search: "@every 1h", audit: "0 3 1 1 *"}
`

// What a program or a person may do to a row without harm to the other side.
func TestStrict_LocalSide(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, often+"guards: {max_deletes: 3, max_delete_percent: 50, max_creates: 1000}\n"))
	var leads []string
	for range 8 {
		leads = append(leads, s.close.Add("lead", map[string]any{"name": "Lead", "description": "kept"}))
	}
	contact := s.close.Add("contact", map[string]any{"lead_id": leads[0], "name": "Mover"})
	s.close.Today()
	s.run()
	s.loaded()

	// Empty text is null; read-only columns are put back; a move is a move.
	s.exec(`UPDATE crm.leads SET url = '', status_label = 'nonsense', created_by = 'nobody' WHERE close_id = $1`, leads[1])
	s.exec(`UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $1) WHERE close_id = $2`, leads[2], contact)
	s.until("moved and put back", func() bool {
		return s.close.Get(contact)["lead_id"] == leads[2] && s.text(`SELECT status_label FROM crm.leads WHERE close_id = $1`, leads[1]) == "Potential"
	})
	s.until("at rest", s.idle)
	require.Len(t, s.close.Writes(), 1, "the move alone")

	// A move that Close refuses is put back, and said.
	s.close.Fail(strictfake.Fault{Method: "PUT", Path: "contact/", Times: 9, Status: 400, Body: `{"errors":[],"field-errors":{"lead_id":"This contact cannot be moved."}}`})
	s.exec(`UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $1) WHERE close_id = $2`, leads[3], contact)
	s.until("put back", func() bool {
		return s.text(`SELECT l.close_id FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE c.close_id = $1`, contact) == leads[2] &&
			s.text(`SELECT last_error FROM closesync.record_status WHERE close_id = $1`, contact) != ""
	})
	require.Contains(t, s.text(`SELECT last_error FROM closesync.record_status WHERE close_id = $1`, contact), "cannot be moved")

	// TRUNCATE is no delete.
	s.close.Forget()
	s.exec("TRUNCATE crm.leads, crm.contacts, crm.opportunities")
	s.until("filled again", func() bool { return s.idle() && s.difference() == "" })
	require.Empty(t, s.close.Writes())

	// A mass delete asks; rejected, the rows come back.
	s.exec("DELETE FROM crm.leads")
	s.until("held", func() bool {
		return s.text("SELECT count(*)::text FROM closesync.record_status WHERE state = 'held'") != "0" && s.idle()
	})
	require.Empty(t, s.close.Writes())
	code, out, log := command(t, s.env, "holds", "--json")
	require.Equal(t, 0, code, log)
	require.Contains(t, out, `"kind": "delete"`)
	require.Contains(t, out, `"status": "open"`)
	code, _, _ = command(t, s.env, "status")
	require.Equal(t, 3, code)
	for _, id := range s.column("SELECT id::text FROM closesync.holds WHERE status = 'open'") {
		code, _, log = command(t, s.env, "holds", "reject", id)
		require.Equal(t, 0, code, log)
	}
	s.equal()
	require.Empty(t, s.close.Writes())
}

// column gives the first column of every row as text.
func (s *stranger) column(sql string) []string {
	s.T.Helper()
	var list []string
	found, err := s.Pool.Query(s.T.(*testing.T).Context(), sql)
	require.NoError(s.T, err)
	defer found.Close()
	for found.Next() {
		var v string
		require.NoError(s.T, found.Scan(&v))
		list = append(list, v)
	}
	return list
}

// An answer that is lost makes no second record.
func TestStrict_LostAnswers(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, often))
	s.close.Today()
	s.run()
	s.loaded()
	for _, f := range []strictfake.Fault{
		{Method: "POST", Path: "lead/", Times: 1, After: true, Cut: true},
		{Method: "POST", Path: "contact/", Times: 1, After: true, Status: 502, Body: `{}`},
		{Method: "POST", Path: "opportunity/", Times: 1, After: true, Cut: true},
	} {
		s.close.Fail(f)
	}
	s.exec(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Once') RETURNING id), c AS (INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Once' FROM l RETURNING lead_id)
		INSERT INTO crm.opportunities (lead_id, note, value) SELECT lead_id, 'Once', 7 FROM c`)
	began := time.Now()
	s.until("settled", func() bool { return len(s.close.All("opportunity")) > 0 && s.idle() })
	require.Less(t, time.Since(began), 100*time.Second, "within 2 minutes")
	for _, kind := range []string{"lead", "contact", "opportunity"} {
		require.Len(t, s.close.All(kind), 1, kind)
	}
	s.equal()
}

// The direction of a table, a filter and a NUL.
func TestStrict_DirectionsAndFilter(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, often+`
objects:
  lead:
    filter: {type: field_condition, field: {type: regular_field, object_type: lead, field_name: status_id}, condition: {type: reference, reference_type: status.lead, object_ids: [`+strictfake.Qualified+`]}}
  contact: {direction: from_close}
  opportunity: {direction: to_close}
`))
	inside := s.close.Add("lead", map[string]any{"name": "Inside \u0000 NUL", "status_id": strictfake.Qualified})
	outside := s.close.Add("lead", map[string]any{"name": "Outside"})
	contact := s.close.Add("contact", map[string]any{"lead_id": inside, "name": "Mirror"})
	opportunity := s.close.Add("opportunity", map[string]any{"lead_id": inside, "note": "there", "value": 1})
	s.close.Today()
	s.run()
	s.loaded()
	require.Equal(t, "Inside  NUL", s.text("SELECT name FROM crm.leads"), "NUL is dropped, and what is out of the filter is not here")

	s.exec("UPDATE crm.contacts SET name = 'here' WHERE close_id = $1", contact)
	s.exec("INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Local' FROM crm.leads")
	s.until("put back", func() bool {
		return s.text("SELECT name FROM crm.contacts WHERE close_id = $1", contact) == "Mirror" && s.idle()
	})
	require.Equal(t, "1", s.text("SELECT count(*)::text FROM crm.contacts WHERE name = 'Local' AND close_id IS NULL"))
	s.exec("DELETE FROM crm.contacts WHERE close_id = $1", contact)
	s.until("back", func() bool {
		return s.text("SELECT name FROM crm.contacts WHERE close_id = $1", contact) == "Mirror" && s.idle()
	})

	s.close.Edit(opportunity, map[string]any{"note": "edited there"})
	s.exec("INSERT INTO crm.opportunities (lead_id, note, value) SELECT id, 'Sent', 9 FROM crm.leads")
	s.until("sent", func() bool { return s.close.Find("opportunity", "note", "Sent") != nil && s.idle() })
	require.Equal(t, "0", s.text("SELECT count(*)::text FROM crm.opportunities WHERE note = 'edited there'"), "nothing of Close's is written")

	s.close.Edit(inside, map[string]any{"status_id": strictfake.Potential})
	s.until("left", func() bool {
		return s.text("SELECT state FROM closesync.record_status WHERE close_id = $1", inside) == "detached"
	})
	s.exec("UPDATE crm.leads SET description = 'not sent' WHERE close_id = $1", inside)
	s.close.Edit(outside, map[string]any{"status_id": strictfake.Qualified})
	s.until("entered", func() bool {
		return s.text("SELECT count(*)::text FROM crm.leads WHERE close_id = $1", outside) == "1" && s.idle()
	})
	require.Equal(t, "2", s.text("SELECT count(*)::text FROM crm.leads WHERE close_id IS NOT NULL"), "the row of what left is kept")
	require.Nil(t, s.close.Get(inside)["description"])
	for _, r := range s.close.Writes() {
		require.Contains(t, r.Path, "opportunity/", r.String())
	}
}

// A database belongs to one organization and one place.
func TestStrict_Binding(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, often))
	lead := s.close.Add("lead", map[string]any{"name": "First"})
	s.close.Today()
	s.once()
	other := strictfake.Start(t, strictfake.Options{})
	other.Add("lead", map[string]any{"name": "Foreign"})
	other.Today()
	env := append([]string{}, s.env...)
	s.env = append(s.env, "CLOSE_API_KEY="+other.Key, "CLOSE_BASE_URL="+other.BaseURL())
	s.exec("UPDATE crm.leads SET description = 'not for them' WHERE close_id = $1", lead)
	s.run()
	s.until("not ready", func() bool { status, _ := s.fetch("/readyz"); return status == 503 })
	_, body := s.fetch("/readyz")
	require.Contains(t, body, "organization")
	code, out, _ := command(t, s.env, "check")
	require.Equal(t, 1, code)
	require.Contains(t, out, "adopt")
	code, _, _ = command(t, s.env, "run", "--once")
	require.Equal(t, 1, code)
	require.Equal(t, "1", s.text("SELECT count(*)::text FROM crm.leads"))
	require.Empty(t, other.Writes())
	s.worker.kill()

	// A copy of the database elsewhere.
	s.env = env
	dsn := testdb.New(t)
	s.copyTo(dsn)
	code, _, log := command(t, append(env, "DATABASE_URL="+dsn), "run", "--once")
	require.Equal(t, 1, code)
	require.Contains(t, log, "closesync adopt")
	require.Empty(t, s.close.Writes())
	code, _, log = command(t, append(env, "DATABASE_URL="+dsn), "adopt", "--yes")
	require.Equal(t, 0, code, log)
	code, _, log = command(t, append(env, "DATABASE_URL="+dsn), "run", "--once")
	require.Equal(t, 0, code, log)
	require.Equal(t, "not for them", s.close.Get(lead)["description"], "what waited is sent now")
}

// copyTo makes another database a copy of this one, by its rows.
func (s *stranger) copyTo(dsn string) {
	s.T.Helper()
	t := s.T.(*testing.T)
	code, _, log := command(t, []string{"DATABASE_URL=" + dsn}, "migrate", "up")
	require.Equal(t, 0, code, log)
	to, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	defer to.Close()
	for _, table := range []string{"crm.leads", "closesync.connections", "closesync.records", "closesync.checkpoints", "closesync.outbox"} {
		var rows string
		require.NoError(t, s.Pool.QueryRow(t.Context(), "SELECT coalesce(jsonb_agg(t), '[]')::text FROM "+table+" t").Scan(&rows))
		_, err := to.Exec(t.Context(), "INSERT INTO "+table+" OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::"+table+", $1)", rows)
		require.NoError(t, err, table)
	}
}
