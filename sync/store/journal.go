package store

import (
	"context"
	"maps"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// journalEntry is one row of the journal, made before the record is written.
type journalEntry struct {
	state     *engine.State
	direction string
	action    string
	field     string
	old, new  mapping.Value
	cause     engine.Cause
}

// entries gives what the outcome changes here. Writes to Close are journalled
// when their answer is known.
func entries(st *engine.State) []journalEntry {
	o := st.Outcome
	if o.Silent {
		return nil
	}
	in := func(action, field string, old, new mapping.Value) journalEntry {
		return journalEntry{st, "from_close", action, field, old, new, ruled(o.Cause, o.Plan, field)}
	}
	var list []journalEntry
	switch o.Plan.Local {
	case reconcile.Create:
		list = append(list, in("create", "", "", recordJSON(o.Plan.LocalSet)))
	case reconcile.Update:
		for _, f := range fieldsOf(o.Plan.LocalSet) {
			list = append(list, in(changed(st.Type, f), f, st.Local.Record.Get(f), o.Plan.LocalSet[f]))
		}
	case reconcile.Delete, reconcile.Detach, reconcile.Flag:
		action := "delete"
		if o.AliasOf != "" {
			action = "merge"
		}
		list = append(list, in(action, "", recordJSON(st.Local.Record), ""))
	}
	if o.CloseID != "" && st.CloseID == "" {
		list = append(list, in("link", "", "", mapping.TextValue(o.CloseID)))
	}
	return list
}

// changed is the action of a new value in a field.
func changed(objectType, field string) string {
	if field == "lead_id" && objectType != "lead" {
		return "move"
	}
	return "update"
}

// ruled adds to a cause the rule by which a field, or the whole, was decided.
func ruled(cause engine.Cause, plan reconcile.Plan, field string) engine.Cause {
	c := maps.Clone(cause)
	if c == nil {
		c = engine.Cause{}
	}
	if rule := plan.Rule(field); rule != "" {
		c["rule"] = rule
	}
	return c
}

func recordJSON(r mapping.Record) mapping.Value { return mapping.Value(mapping.EncodeBase(r)) }

func fieldsOf(r mapping.Record) []string { return keysOf(r) }

func jsonOrNull(v mapping.Value) *string {
	if v == "" {
		return nil
	}
	s := string(v)
	return &s
}

// saveJournal writes the entries and tells listeners of what came from Close,
// once a record.
func (w *writing) saveJournal(ctx context.Context, run int64) error {
	if len(w.journal) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, "SELECT nextval((SELECT pg_get_serial_sequence('closesync.journal_log', 'id')::regclass)) FROM generate_series(1, $1)", len(w.journal))
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	n := len(w.journal)
	types, directions, actions, causes := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	closes, keys, fields, olds, news := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	var notes []string
	told := map[*engine.State]bool{}
	for i, e := range w.journal {
		id := e.state.CloseID
		if e.state.Outcome != nil && e.state.Outcome.CloseID != "" {
			id = e.state.Outcome.CloseID
		}
		types[i], directions[i], actions[i] = e.state.Type, e.direction, e.action
		closes[i], keys[i], fields[i] = some(id), some(e.state.LocalKey), some(e.field)
		olds[i], news[i] = jsonOrNull(e.old), jsonOrNull(e.new)
		causes[i] = causeJSON(e.cause)
		if e.direction == "from_close" && e.action != "link" && !told[e.state] {
			told[e.state] = true
			notes = append(notes, w.note(ids[i], e, id))
		}
	}
	var runID *int64
	if run != 0 {
		runID = &run
	}
	_, err = w.tx.Exec(ctx, `
		INSERT INTO closesync.journal_log (id, connection, object_type, close_id, local_key, direction, action, field, old_value, new_value, cause, run_id)
		OVERRIDING SYSTEM VALUE
		SELECT v.id, $1, v.t, v.c, v.k, v.d, v.a, v.f, v.o::jsonb, v.n::jsonb, v.cause::jsonb, $2
		FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
		     AS v(id, t, c, k, d, a, f, o, n, cause)`,
		w.id, runID, ids, types, closes, keys, directions, actions, fields, olds, news, causes)
	if err != nil || len(notes) == 0 {
		return err
	}
	_, err = w.tx.Exec(ctx, "SELECT count(pg_notify('closesync_changes', p)) FROM unnest($1::text[]) AS p", notes)
	return err
}

func causeJSON(c engine.Cause) string {
	if len(c) == 0 {
		return "{}"
	}
	raw, err := json.Marshal(map[string]any(c), json.Deterministic(true))
	if err != nil {
		return "{}"
	}
	return string(raw)
}

func (w *writing) note(id int64, e journalEntry, closeID string) string {
	raw, _ := json.Marshal(struct {
		JournalID  int64   `json:"journal_id"`
		Connection string  `json:"connection"`
		ObjectType string  `json:"object_type"`
		CloseID    *string `json:"close_id"`
		LocalKey   *string `json:"local_key"`
		Action     string  `json:"action"`
	}{id, w.name, e.state.Type, some(closeID), some(e.state.LocalKey), e.action})
	return string(raw)
}
