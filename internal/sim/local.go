package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// session is a local program with a connection of its own. It uses plain SQL
// and knows nothing of the worker.
type session struct {
	conn    *pgx.Conn
	open    atomic.Bool // a transaction is open
	last    *task       // its statement under way
	pending []write     // of the open transaction
}

func (s *session) busy() bool { return s.last != nil && !s.last.done }

var tables = map[string]string{"lead": "crm.leads", "contact": "crm.contacts", "opportunity": "crm.opportunities"}

// localStep carries out a step of a local program.
func (w *World) localStep(st Step) {
	s := w.sessions[st.S%len(w.sessions)]
	if s.busy() {
		return
	}
	own := st.S == 0
	s.last = newTask("local "+st.Do, nil, 0)
	w.launch(s.last, func(ctx context.Context) error {
		t := taskOf(ctx)
		t.pid.Store(s.conn.PgConn().PID())
		if err := w.lane.tellTime(); err != nil {
			return err
		}
		return w.inSession(ctx, s, own, func() error { return w.localDo(ctx, s, st) }, st.Do)
	})
}

// inSession opens what is needed and ends what the step ends.
func (w *World) inSession(ctx context.Context, s *session, own bool, do func() error, verb string) error {
	if (own || verb == "begin") && !s.open.Load() {
		if _, err := s.conn.Exec(ctx, "BEGIN"); err != nil {
			return err
		}
		s.open.Store(true)
	}
	err := do()
	switch {
	case err != nil:
		return errors.Join(err, w.endSession(ctx, s, false))
	case own || verb == "commit":
		return w.endSession(ctx, s, true)
	case verb == "rollback":
		return w.endSession(ctx, s, false)
	}
	return nil
}

func (w *World) endSession(ctx context.Context, s *session, commit bool) error {
	if !s.open.Load() {
		return nil
	}
	sql := "ROLLBACK"
	if commit {
		sql = "COMMIT"
	}
	_, err := s.conn.Exec(ctx, sql)
	s.open.Store(false)
	if err == nil && commit {
		for _, x := range s.pending {
			w.wrote(x)
		}
	}
	s.pending = nil
	return err
}

// localDo runs one statement.
func (w *World) localDo(ctx context.Context, s *session, st Step) error {
	r := w.rec(st.Rec)
	if r == nil || !s.open.Load() {
		return nil
	}
	switch st.Do {
	case "create":
		return w.localCreate(ctx, s, r, st)
	case "set", "clear", "undo":
		return w.localSet(ctx, s, r, st)
	case "add", "remove":
		return w.localItem(ctx, s, r, st)
	case "delete":
		return w.localDelete(ctx, s, r)
	case "move":
		return w.localMove(ctx, s, r, st)
	}
	return nil
}

// row finds a record's row: by its Close id, as people know it, or by the key
// of the row that a local program made.
func (w *World) row(ctx context.Context, s *session, r *rec) (key string, err error) {
	err = s.conn.QueryRow(ctx, fmt.Sprintf(`SELECT id::text FROM %s WHERE (close_id = $1 AND $1 <> '') OR (id::text = $2 AND $1 = '')`, tables[r.Type]),
		r.closeID, r.localKey).Scan(&key)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return key, err
}

func (w *World) localCreate(ctx context.Context, s *session, r *rec, st Step) error {
	if r.birth != 0 {
		return nil
	}
	name := written[r.Type][0]
	columns, values := name.name, "$1"
	args := []any{name.token(st.N)}
	if r.Type != "lead" {
		parent := w.rec(r.Under)
		key, err := w.row(ctx, s, parent)
		if err != nil || key == "" {
			return err
		}
		columns, values = columns+", lead_id", values+", $2::text::bigint"
		args = append(args, key)
	}
	var key string
	if err := s.conn.QueryRow(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) RETURNING id::text", tables[r.Type], columns, values), args...).Scan(&key); err != nil {
		return err
	}
	r.localKey, r.born, r.birth = key, Local, st.N
	s.pending = append(s.pending, write{side: Local, rec: r, do: "create", token: st.N},
		write{side: Local, rec: r, field: name.name, do: "set", token: st.N, value: w.canon(r.Type, name.name, name.token(st.N))})
	return nil
}

// column is the SQL of a field's value and of its new value.
func (w *World) column(field string) (read, set string) {
	if field == "custom" {
		return fmt.Sprintf("custom -> '%s'", w.customID),
			fmt.Sprintf("custom = CASE WHEN $1::jsonb IS NULL THEN custom - '%[1]s' ELSE custom || jsonb_build_object('%[1]s', $1::jsonb) END", w.customID)
	}
	return "to_jsonb(" + field + ")", field + " = (SELECT x FROM jsonb_to_record(jsonb_build_object('x', $1::jsonb)) AS v(x %s))"
}

var columnTypes = map[string]string{"value": "bigint", "emails": "jsonb", "phones": "jsonb"}

func (w *World) localSet(ctx context.Context, s *session, r *rec, st Step) error {
	f, ok := specOf(r.Type, st.Field)
	if !ok || f.item {
		return nil
	}
	key, err := w.row(ctx, s, r)
	if err != nil || key == "" {
		return err
	}
	var v any
	token := 0
	switch st.Do {
	case "set":
		v, token = f.token(st.N), st.N
	case "undo":
		old := w.former(r, Local, st.Field)
		if old == "" {
			return nil
		}
		v = json.RawMessage(old)
	}
	x := write{side: Local, rec: r, field: st.Field, do: st.Do, token: token, value: w.canon(r.Type, st.Field, v)}
	x.before, err = w.update(ctx, s, r, key, st.Field, v)
	if err == nil && x.before != x.value {
		s.pending = append(s.pending, x)
	}
	return ignoreNoRows(err)
}

// update writes one column and tells what it held; pgx.ErrNoRows if the row
// went while the statement waited for it.
func (w *World) update(ctx context.Context, s *session, r *rec, key, field string, v any) (before mapping.Value, err error) {
	read, set := w.column(field)
	if field != "custom" {
		typ := columnTypes[field]
		if typ == "" {
			typ = "text"
		}
		set = fmt.Sprintf(set, typ)
	}
	var raw *string
	if v != nil {
		text, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		t := string(text)
		raw = &t
	}
	var old *string
	err = s.conn.QueryRow(ctx, fmt.Sprintf(`WITH old AS (SELECT id AS k, %[2]s AS v FROM %[1]s WHERE id = $2::text::bigint FOR UPDATE)
		UPDATE %[1]s SET %[3]s FROM old WHERE id = old.k RETURNING old.v::text`, tables[r.Type], read, set), raw, key).Scan(&old)
	if err != nil || old == nil {
		return mapping.Null, err
	}
	return w.canon(r.Type, field, json.RawMessage(*old)), nil
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

func (w *World) localItem(ctx context.Context, s *session, r *rec, st Step) error {
	f, ok := specOf(r.Type, st.Field)
	if !ok || !f.item {
		return nil
	}
	key, err := w.row(ctx, s, r)
	if err != nil || key == "" {
		return err
	}
	var raw string
	if err := s.conn.QueryRow(ctx, fmt.Sprintf("SELECT %s::text FROM %s WHERE id = $1::text::bigint FOR UPDATE", st.Field, tables[r.Type]), key).Scan(&raw); err != nil {
		return ignoreNoRows(err)
	}
	list, token, changed := w.changeItems(f, raw, st)
	if !changed {
		return nil
	}
	before, err := w.update(ctx, s, r, key, st.Field, list)
	if err == nil {
		s.pending = append(s.pending, write{side: Local, rec: r, field: st.Field, do: st.Do, token: token, before: before})
	}
	return ignoreNoRows(err)
}

func (w *World) localDelete(ctx context.Context, s *session, r *rec) error {
	key, err := w.row(ctx, s, r)
	if err != nil || key == "" {
		return err
	}
	gone, err := w.family(ctx, s, r, key)
	if err != nil {
		return err
	}
	tag, err := s.conn.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE id = $1::text::bigint", tables[r.Type]), key)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	s.pending = append(s.pending, gone...)
	return nil
}

// family is the deletion of a record, with those of the rows that go along.
func (w *World) family(ctx context.Context, s *session, r *rec, key string) ([]write, error) {
	var gone []write
	for _, typ := range []string{"lead", "contact", "opportunity"} {
		where := "lead_id"
		if typ == r.Type {
			where = "id"
		} else if r.Type != "lead" {
			continue
		}
		rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT id::text, coalesce(close_id, ''), to_jsonb(t)::text FROM %s t WHERE %s = $1::text::bigint", tables[typ], where), key)
		if err != nil {
			return nil, err
		}
		var rowKey, closeID, text string
		if _, err := pgx.ForEachRow(rows, []any{&rowKey, &closeID, &text}, func() error {
			g := w.recOfRow(typ, rowKey, closeID)
			if g == nil {
				return nil
			}
			raw := map[string]json.RawMessage{}
			if err := json.Unmarshal([]byte(text), &raw); err != nil {
				return err
			}
			last, err := w.localRecord(nil, typ, raw)
			gone = append(gone, write{side: Local, rec: g, do: "delete", last: last})
			return err
		}); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// recOfRow finds the record that a row is of.
func (w *World) recOfRow(objectType, key, closeID string) *rec {
	for _, r := range w.recs {
		if r.Type == objectType && ((closeID != "" && w.findInClose(r) == closeID) || (r.localKey == key && r.born == Local)) {
			return r
		}
	}
	return nil
}

// localMove gives a contact another lead.
func (w *World) localMove(ctx context.Context, s *session, r *rec, st Step) error {
	into := w.rec(st.Into)
	if r.Type != "contact" || into == nil || into.Type != "lead" {
		return nil
	}
	key, err := w.row(ctx, s, r)
	if err != nil || key == "" {
		return err
	}
	home, err := w.row(ctx, s, into)
	if err != nil || home == "" {
		return err
	}
	tag, err := s.conn.Exec(ctx, "UPDATE crm.contacts SET lead_id = $2::text::bigint WHERE id = $1::text::bigint AND lead_id <> $2::text::bigint", key, home)
	if err == nil && tag.RowsAffected() > 0 {
		s.pending = append(s.pending, write{side: Local, rec: r, field: "lead_id", do: "move", value: mapping.Value(into.Name)})
	}
	return err
}

// resumeLocals lets local programs go on that got the lock they waited for.
func (w *World) resumeLocals() {
	for _, s := range w.sessions {
		for s.busy() && !s.last.blocked.Load() {
			w.proceed(s.last, 0)
			w.settleBlocked(nil)
		}
	}
}
