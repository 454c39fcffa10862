package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// tally counts for the guards in one decision's transaction. Each count is one
// statement and so of one moment: a change is among the hints, the marks, the
// holds or the writes, and never in between. What it has counted it remembers.
type tally struct {
	ctx    context.Context
	w      *writing
	open   map[string][]engine.Hold
	writes map[string]engine.GuardCounts
	single map[string]int
}

func newTally(ctx context.Context, w *writing) *tally {
	return &tally{ctx, w, map[string][]engine.Hold{}, map[string]engine.GuardCounts{}, map[string]int{}}
}

// Open gives the holds of a type that are open and younger than the window.
func (t *tally) Open(objectType string, window time.Duration) ([]engine.Hold, error) {
	if list, ok := t.open[objectType]; ok {
		return list, nil
	}
	rows, err := t.w.tx.Query(t.ctx, `SELECT kind, field, reason, status FROM closesync.holds
		WHERE connection = $1 AND object_type = $2 AND status = 'open' AND created_at > closesync.clock() - $3::interval`, t.w.id, objectType, window)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[engine.Hold])
	t.open[objectType] = list
	return list, err
}

// waitingSet is a common table expression of the records of a type that may
// have something to be sent: marked ones, and those of hints that nobody has
// absorbed. Records that an operator has decided about, or that an open hold
// has, are not among them. $1 is the connection, $2 the type, $3 the window.
const waitingSet = `
held AS (SELECT i.record_id, h.kind, h.field, h.status, h.decided_at, h.created_at > closesync.clock() - $3::interval AS fresh
	FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id WHERE h.connection = $1 AND h.object_type = $2 AND NOT i.done),
marked AS (SELECT record_id AS id, local_at FROM closesync.dirty WHERE connection = $1
	UNION ALL SELECT r.id, o.at FROM closesync.outbox o JOIN closesync.records r
	ON r.connection = o.connection AND r.object_type = o.object_type AND r.local_key = o.local_key WHERE o.connection = $1 AND o.object_type = $2),
wait AS (SELECT r.id, r.close_id, r.local_key, r.base, r.connection FROM closesync.records r
	WHERE r.object_type = $2 AND r.local_key IS NOT NULL AND r.state NOT IN ('deleted', 'detached') AND r.id IN (SELECT m.id FROM marked m
	WHERE NOT EXISTS (SELECT FROM held WHERE held.record_id = m.id AND (held.status = 'open' OR m.local_at IS NULL OR m.local_at <= held.decided_at)))),
sent AS (SELECT i.record_id, i.action, i.sent FROM closesync.intents i WHERE i.connection = $1 AND i.object_type = $2 AND i.state <> 'failed'
	AND i.created_at > closesync.clock() - $3::interval
	AND NOT EXISTS (SELECT FROM closesync.hold_items a JOIN closesync.holds h ON h.id = a.hold_id WHERE a.record_id = i.record_id AND h.status = 'approved'))`

// Writes counts the deletes and creates of a type. A row that was deleted
// together with its parent's goes with that and is not counted.
func (t *tally) Writes(objectType string, window time.Duration) (engine.GuardCounts, error) {
	if c, ok := t.writes[objectType]; ok {
		return c, nil
	}
	tab := t.w.table(objectType)
	var c engine.GuardCounts
	var deleted int
	err := t.w.tx.QueryRow(t.ctx, `WITH `+waitingSet+`,
		state AS (SELECT c.*, `+t.w.alone(tab)+` AS alone, EXISTS (SELECT FROM `+tab.name+` x WHERE x.`+tab.key+` = c.local_key::`+tab.keyCast+`) AS there FROM wait c)
		SELECT (SELECT count(*) FROM (
		         SELECT id FROM state WHERE close_id IS NOT NULL AND NOT there AND alone
		         UNION SELECT record_id FROM sent WHERE action = 'delete'
		         UNION SELECT record_id FROM held WHERE kind = 'delete' AND status = 'open' AND fresh) v),
		       (SELECT count(*) FROM (
		         SELECT id FROM state WHERE close_id IS NULL AND there
		         UNION SELECT record_id FROM sent WHERE action = 'create'
		         UNION SELECT record_id FROM held WHERE kind = 'create' AND status = 'open' AND fresh) v)
		       + (SELECT count(DISTINCT o.local_key) FROM closesync.outbox o JOIN `+tab.name+` x ON x.`+tab.key+`::text = o.local_key
		          WHERE o.connection = $1 AND o.object_type = $2 AND NOT EXISTS (SELECT FROM closesync.records r
		          WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = o.local_key)),
		       (SELECT count(DISTINCT record_id) FROM sent WHERE action = 'delete')`,
		t.w.id, objectType, window).Scan(&c.Deletes, &c.Creates, &deleted)
	if err == nil && c.Deletes >= 5 {
		err = t.w.tx.QueryRow(t.ctx, `SELECT count(*) FROM closesync.records WHERE connection = $1 AND object_type = $2
			AND close_id IS NOT NULL AND local_key IS NOT NULL AND state <> 'deleted'`, t.w.id, objectType).Scan(&c.Linked)
		c.Linked += deleted
	}
	if err != nil {
		return c, fmt.Errorf("tally.Writes(%s): %w", objectType, err)
	}
	t.writes[objectType] = c
	return c, nil
}

// Clears counts the records of which a field is emptied in Close.
func (t *tally) Clears(objectType, field string, window time.Duration) (int, error) {
	tab := t.w.table(objectType)
	empty := tab.emptied(field)
	return t.once("clear "+objectType+" "+field, func() (n int, err error) {
		err = t.w.tx.QueryRow(t.ctx, `WITH `+waitingSet+`
			SELECT count(*) FROM (
			    SELECT wait.id FROM wait JOIN `+tab.name+` x ON x.`+tab.key+` = wait.local_key::`+tab.keyCast+` WHERE wait.base ->> $4 IS NOT NULL AND `+empty+`
			    UNION SELECT record_id FROM sent WHERE sent -> $4 = 'null'::jsonb
			    UNION SELECT record_id FROM held WHERE kind = 'clear' AND field = $4 AND status = 'open' AND fresh) v`,
			t.w.id, objectType, window, field).Scan(&n)
		return n, err
	})
}

// emptied is the condition that row x has nothing in a field.
func (t *table) emptied(field string) string {
	for _, c := range t.columns {
		if c.field.Close == field {
			return "coalesce(x." + c.name + "::text, '') IN ('', '[]', 'null')"
		}
	}
	if t.custom == nil {
		return "false"
	}
	return "coalesce((x." + t.custom.name + "::jsonb -> " + literal(strings.TrimPrefix(field, "custom.")) + ")::text, '') IN ('', '\"\"', '[]', 'null')"
}

// Inbound counts the rows deleted because Close says so: within the window, by
// events that wait, and the given records. Those deleted together with their
// parents are not counted.
func (t *tally) Inbound(objectType string, window time.Duration, ids []int64) (int, error) {
	tab := t.w.table(objectType)
	return t.once("inbound "+objectType, func() (n int, err error) {
		err = t.w.tx.QueryRow(t.ctx, `
			WITH ending AS (SELECT r.id, r.object_type, r.close_id, r.base, r.local_key FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id
			    WHERE d.connection = $1 AND (r.id = ANY ($4) OR EXISTS (SELECT FROM closesync.inbox i WHERE i.id = ANY (d.events) AND i.action = 'deleted' AND i.object_id = r.close_id))),
			held AS (SELECT i.record_id, h.status, h.created_at > closesync.clock() - $3::interval AS fresh FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id
			    WHERE h.connection = $1 AND h.object_type = $2 AND h.kind = 'inbound_delete')
			SELECT (SELECT count(*) FROM (
			      SELECT e.id FROM ending e WHERE e.object_type = $2 AND EXISTS (SELECT FROM `+tab.name+` x WHERE x.`+tab.key+` = e.local_key::`+tab.keyCast+`)
			      AND NOT EXISTS (SELECT FROM held WHERE held.record_id = e.id) `+endsAlong(tab)+`
			      UNION SELECT record_id FROM held WHERE status = 'open' AND fresh) v)
			  + (SELECT count(DISTINCT j.close_id) FROM closesync.journal_log j WHERE j.connection = $1 AND j.object_type = $2 AND j.direction = 'from_close'
			      AND j.action = 'delete' AND j.at > closesync.clock() - $3::interval AND NOT j.cause @> '{"source": "parent deleted"}'
			      AND NOT EXISTS (SELECT FROM closesync.records r JOIN held ON held.record_id = r.id
			          WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = j.close_id))`,
			t.w.id, objectType, window, ids).Scan(&n)
		return n, err
	})
}

// endsAlong is a condition that leaves out records whose parent is deleted in
// Close as well.
func endsAlong(tab *table) string {
	where := ""
	for _, f := range tab.object.Parents() {
		if f.Required {
			where += fmt.Sprintf(` AND NOT EXISTS (SELECT FROM ending p WHERE p.object_type = %s AND p.close_id = e.base ->> %s)`, literal(f.Parent), literal(f.Close))
		}
	}
	return where
}

func (t *tally) once(key string, count func() (int, error)) (int, error) {
	if n, ok := t.single[key]; ok {
		return n, nil
	}
	n, err := count()
	if err != nil {
		return 0, fmt.Errorf("tally: %s: %w", key, err)
	}
	t.single[key] = n
	return n, nil
}

var _ engine.Tally = (*tally)(nil)

// requiredParent gives the field of a type without which it cannot be.
func requiredParent(o *mapping.Object) (mapping.Field, bool) {
	for _, f := range o.Parents() {
		if f.Required {
			return f, true
		}
	}
	return mapping.Field{}, false
}
