package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"closesync/mapping"
)

// watchers note in the database itself what no look from outside could see at
// every moment: versions that go down (I-6) and the watermarks that were saved,
// with the newest event that was stored then (I-12).
const watchers = `
CREATE TABLE sim.broken (invariant text, what text);
CREATE TABLE sim.watermarks (watermark timestamptz, inbox bigint);
CREATE FUNCTION sim.version_went_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO sim.broken VALUES ('I-6', format('%s %s went from version %s to %s', NEW.object_type, NEW.close_id, OLD.remote_version, NEW.remote_version));
  RETURN NULL; END $$;
CREATE TRIGGER sim_version AFTER UPDATE ON closesync.records FOR EACH ROW
  WHEN (NEW.remote_version < OLD.remote_version AND NEW.close_id = OLD.close_id) EXECUTE FUNCTION sim.version_went_down();
CREATE FUNCTION sim.watermark_saved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO sim.watermarks SELECT NEW.watermark, coalesce(max(id), 0) FROM closesync.inbox;
  RETURN NULL; END $$;
CREATE TRIGGER sim_watermark AFTER INSERT OR UPDATE ON closesync.checkpoints FOR EACH ROW
  WHEN (NEW.stream = 'events' AND NEW.watermark IS NOT NULL) EXECUTE FUNCTION sim.watermark_saved();`

// checkHistory tests the invariants about all that happened, not only about
// how it ended.
func (w *World) checkHistory(s *sides) {
	w.checkBirths()
	w.checkRequests()
	w.checkAcked()
	w.checkWatermarks()
	w.checkDeletes()
	w.checkParked(s)
	for _, v := range w.Close.Violations() { // children without a lead (I-10), calls in a closed window (I-13)
		w.violate("I-10", "%s", v)
	}
	w.eachText("SELECT invariant || ': ' || what FROM sim.broken", func(text string) {
		invariant, what, _ := strings.Cut(text, ": ")
		w.violate(invariant, "%s", what)
	})
}

func (w *World) eachText(sql string, each func(string)) {
	rows, err := w.lane.admin.Query(w.lane.ctx, sql)
	if err != nil {
		panic(err)
	}
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			panic(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	for _, text := range list {
		each(text)
	}
}

// checkBirths is I-3: whatever a local program or a person made was made in
// Close once, counting what was deleted since.
func (w *World) checkBirths() {
	born := w.Close.Census()
	for _, r := range w.recs {
		if r.birth == 0 {
			continue
		}
		n, f := 0, written[r.Type][0]
		for _, b := range born {
			text, err := json.Marshal(b.Fields[w.closeName(r.Type, f.name)])
			if err == nil && b.Kind == r.Type && strings.Contains(string(text), f.mark(r.birth)) {
				n++
			}
		}
		if n > 1 {
			w.violate("I-3", "%s %s was created %d times in Close", r.Type, r.Name, n)
		}
	}
}

// checkRequests looks at every write of the workers: what they sent was written
// by somebody to that record (I-5), and not more often than there was reason
// for (I-8). It counts all calls, too (I-9).
func (w *World) checkRequests() {
	counts := map[*rec]int{}
	for _, q := range w.requests {
		if q.method == "GET" || strings.Contains(q.path, "/data/search/") {
			continue
		}
		kind, id := kindAndID(q.path)
		if written[kind] == nil {
			continue
		}
		r := w.recOfCall(kind, id, q.body)
		if r == nil {
			w.violate("I-5", "step %d: %s %s %s is about no record that anybody made", q.step, q.method, q.path, q.body)
			continue
		}
		counts[r]++
		if q.method != "DELETE" {
			w.checkSent(r, q)
		}
	}
	for _, r := range w.recs {
		if limit := 3 + len(r.writes) + w.mishaps(); counts[r] > limit {
			w.violate("I-8", "%d writes to %s in Close, at most %d have a reason", counts[r], r.Name, limit)
		}
	}
	if limit := 50 + 4*w.ops + 3*w.polls + 10*w.mishaps(); len(w.requests) > limit {
		w.violate("I-9", "%d calls, at most %d have a reason", len(w.requests), limit)
	}
}

// mishaps are the reasons for doing something again.
func (w *World) mishaps() int { return w.armed + len(w.graves) }

func kindAndID(path string) (kind, id string) {
	kind, id, _ = strings.Cut(strings.Trim(strings.TrimPrefix(path, "/api/v1"), "/"), "/")
	return kind, id
}

func (w *World) recOfCall(kind, id, body string) *rec {
	for _, r := range w.recs {
		if r.Type != kind || r.birth == 0 {
			continue
		}
		if (id != "" && r.closeID == id) || (id == "" && strings.Contains(body, written[kind][0].mark(r.birth))) {
			return r
		}
	}
	if id != "" {
		return nil
	}
	for _, r := range w.recs { // its first value was edited before it was sent
		if r.Type == kind && slices.ContainsFunc(r.writes, func(x *write) bool { return x.marks(body) }) {
			return r
		}
	}
	for _, r := range w.recs { // or emptied
		if r.Type == kind && slices.ContainsFunc(r.writes, func(x *write) bool { return x.side == Local && x.do == "clear" }) {
			return r
		}
	}
	return nil
}

// marks reports whether a text holds the token of a write.
func (x *write) marks(text string) bool {
	f, ok := specOf(x.rec.Type, x.field)
	return ok && x.token != 0 && strings.Contains(text, f.mark(x.token))
}

func (w *World) checkSent(r *rec, q request) {
	sent := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(q.body), &sent); err != nil {
		w.violate("I-5", "%s %s: %v", q.method, q.path, err)
		return
	}
	for _, f := range written[r.Type] {
		raw, ok := sent[w.closeName(r.Type, f.name)]
		if ok && !w.knownValue(r, f, raw) {
			w.violate("I-5", "step %d: nobody ever gave %s.%s the value %s that was sent to Close", q.step, r.Name, f.name, raw)
		}
	}
}

// knownValue reports whether somebody wrote a value, or each item of a list.
func (w *World) knownValue(r *rec, f fieldSpec, raw json.RawMessage) bool {
	if f.item {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return false
		}
		return !slices.ContainsFunc(items, func(item json.RawMessage) bool {
			return !slices.ContainsFunc(r.writes, func(x *write) bool {
				return x.field == f.name && x.token != 0 && strings.Contains(string(item), f.mark(x.token))
			})
		})
	}
	field, _ := w.objects[r.Type].Field(w.closeName(r.Type, f.name))
	v, err := mapping.Canon(field, raw)
	return err == nil && (v.IsNull() || slices.ContainsFunc(r.writes, func(x *write) bool {
		return x.field == f.name && (mapping.Same(field, x.value, v) || mapping.Same(field, x.before, v))
	}))
}

// checkAcked is I-11: a delivery that was answered 2xx is in the inbox.
func (w *World) checkAcked() {
	stored := map[string]bool{}
	w.eachText("SELECT event_id || '|' || (extract(epoch FROM date_updated) * 1000000)::bigint FROM closesync.inbox", func(key string) { stored[key] = true })
	for _, body := range w.acked {
		var d struct{ Event json.RawMessage }
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			w.violate("I-11", "answered 2xx: %s", body)
			continue
		}
		if ev, err := mapping.DecodeEvent(d.Event); err == nil && !stored[eventKey(ev)] {
			w.violate("I-11", "event %s of %s was answered 2xx and is not stored", ev.ID, ev.Updated)
		}
	}
}

func eventKey(ev mapping.Event) string { return fmt.Sprintf("%s|%d", ev.ID, ev.Updated.UnixMicro()) }

// checkWatermarks is I-12: what lies before a saved watermark, less the overlap,
// had been stored when it was saved.
func (w *World) checkWatermarks() {
	at := map[string]int64{}
	rows, err := w.lane.admin.Query(w.lane.ctx, "SELECT event_id || '|' || (extract(epoch FROM date_updated) * 1000000)::bigint, id FROM closesync.inbox")
	if err != nil {
		panic(err)
	}
	for rows.Next() {
		var key string
		var id int64
		if err := rows.Scan(&key, &id); err != nil {
			panic(err)
		}
		at[key] = id
	}
	type saved struct {
		mark  time.Time
		inbox int64
	}
	var marks []saved
	rows, err = w.lane.admin.Query(w.lane.ctx, "SELECT watermark, inbox FROM sim.watermarks ORDER BY watermark")
	if err != nil {
		panic(err)
	}
	for rows.Next() {
		var m saved
		if err := rows.Scan(&m.mark, &m.inbox); err != nil {
			panic(err)
		}
		marks = append(marks, m)
	}
	if len(marks) == 0 {
		return
	}
	for _, raw := range w.Close.EventLog() {
		ev, err := mapping.DecodeEvent(raw)
		if err != nil || !ev.Updated.After(marks[0].mark) {
			continue // the first load covers it
		}
		id, stored := at[eventKey(ev)]
		for _, m := range marks {
			if ev.Updated.Before(m.mark.Add(-5*time.Minute)) && (!stored || id > m.inbox) {
				w.violate("I-12", "event %s of %s was not stored when the watermark %s was saved", ev.ID, ev.Updated, m.mark)
				break
			}
		}
	}
}

// checkDeletes is I-17: what is deleted on one side was deleted by somebody on
// the other.
func (w *World) checkDeletes() {
	did := func(r *rec, side Side) bool {
		return r != nil && slices.ContainsFunc(r.writes, func(x *write) bool { return x.side == side && (x.do == "delete" || x.do == "merge") })
	}
	for _, q := range w.requests {
		if kind, id := kindAndID(q.path); q.method == "DELETE" && written[kind] != nil && !did(w.recOfCall(kind, id, ""), Local) {
			w.violate("I-17", "step %d: %s was deleted in Close, and nobody deleted its row", q.step, q.path)
		}
	}
	w.eachText("SELECT object_type || ' ' || close_id FROM closesync.journal_log WHERE direction = 'from_close' AND action IN ('delete', 'merge') AND close_id IS NOT NULL", func(text string) {
		kind, id, _ := strings.Cut(text, " ")
		if !did(w.recOfCall(kind, id, ""), Close) {
			w.violate("I-17", "the row of %s %s was deleted, and nobody deleted it in Close", kind, w.nameOf(kind, id))
		}
	})
}

// checkParked is the second half of I-14: what was only passing parks nothing.
func (w *World) checkParked(s *sides) {
	for _, l := range s.links {
		if l.state == "error" && slices.Contains([]string{"transient", "unknown", "limited"}, l.class) {
			w.violate("I-14", "%s %s is parked for what was only passing: %s %s", l.typ, w.nameOf(l.typ, l.closeID), l.class, l.problem)
		}
	}
}
