package sim

import (
	"fmt"
	"slices"
	"time"
)

// rest ends what is open and lets everything come to rest: faults are gone, one
// healthy worker runs, time moves on to whatever is due next.
func (w *World) rest() {
	w.say("--- coming to rest")
	w.resting, w.crashAt = true, 0
	w.clearFaults()
	w.endSessions()
	w.finishTasks()
	limit, until := 50+20*w.ops, w.lane.now.Add(24*time.Hour)
	if w.calm(limit, until) {
		return
	}
	w.violate("I-14", "no rest after %d operations and %s: %s", w.runs, 24*time.Hour-until.Sub(w.lane.now), w.waiting())
}

// endSessions commits what local programs have open. One that waits for a lock
// gets it when another ends.
func (w *World) endSessions() {
	for range w.sessions {
		for _, s := range w.sessions {
			if !s.open.Load() || s.busy() {
				continue
			}
			if err := w.endSession(w.lane.ctx, s, true); err != nil {
				w.violate("I-16", "commit of a local program: %v", err)
			}
			w.settleBlocked(nil)
		}
	}
}

// finishTasks lets every operation under way go on to its end.
func (w *World) finishTasks() {
	for n := 0; len(w.tasks) > 0 && n < 1000; n++ {
		w.settleBlocked(nil)
		if len(w.tasks) == 0 {
			return
		}
		if !slices.ContainsFunc(w.tasks, func(t *task) bool { return !t.blocked.Load() }) {
			w.tire(w.at + 1)
			continue
		}
		t := w.tasks[n%len(w.tasks)]
		w.proceed(t, 0)
		w.ended(t)
		w.endSessions()
	}
	if len(w.tasks) > 0 {
		panic(fmt.Sprintf("sim: %d tasks do not end, the first is %s", len(w.tasks), w.tasks[0].name))
	}
}

// calm works until a whole round of everything a worker does by itself finds
// nothing; false if that takes too long.
func (w *World) calm(limit int, until time.Time) bool {
	for first := true; ; first = false {
		before := w.activity()
		w.lane.advance(15*time.Second + w.sc.Config.IndexLag)
		w.deliverDue()
		if first {
			w.must("w1", "check")
		}
		w.must("w1", "tail")
		w.must("w1", "search")
		if !w.drain(limit, until) {
			return false
		}
		if before == w.activity() {
			if w.Close.QueuedWebhooks() == 0 {
				return true
			}
			w.lane.advance(20 * time.Minute) // until a delivery that was held up
		}
		if w.runs > limit || w.lane.now.After(until) {
			return false
		}
	}
}

// activity changes whenever something is written on either side.
func (w *World) activity() string {
	var s string
	err := w.lane.admin.QueryRow(w.lane.ctx, `SELECT concat_ws(' ', (SELECT count(*) FROM closesync.inbox), (SELECT count(*) FROM closesync.journal_log),
		(SELECT count(*) FROM closesync.intents), (SELECT count(*) FROM closesync.conflict_log), (SELECT count(*) FROM closesync.dirty))`).Scan(&s)
	if err != nil {
		panic(err)
	}
	return s
}

func (w *World) deliverDue() {
	for n := w.Close.DueWebhooks(); n > 0; n-- {
		w.deliver("w1", 0, false, 0)
	}
}

// drain cycles until nothing is due, moving the clock to the next due time.
func (w *World) drain(limit int, until time.Time) bool {
	for {
		w.runs++
		w.must("w1", "cycle")
		wait, due := w.nextDue()
		if !due {
			return true
		}
		if w.runs > limit || w.lane.now.After(until) {
			return false
		}
		w.lane.advance(wait)
	}
}

// nextDue is how long until a mark comes due; false if none will.
func (w *World) nextDue() (time.Duration, bool) {
	if err := w.lane.tellTime(); err != nil {
		panic(err)
	}
	p := w.worker("w1")
	if p.store == nil {
		return 0, false
	}
	wait, due, err := p.store.NextDue(w.lane.ctx)
	if err != nil {
		panic(err)
	}
	return max(wait, time.Millisecond), due
}

// waiting says what is still to be done.
func (w *World) waiting() string {
	var s *string
	err := w.lane.admin.QueryRow(w.lane.ctx, `SELECT string_agg(concat_ws(' ', r.object_type, r.close_id, 'row', r.local_key, r.state, d.cause::text, 'attempts', d.attempts, r.last_error), '; ')
		FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id`).Scan(&s)
	if err != nil || s == nil {
		return fmt.Sprint("nothing marked; ", err)
	}
	return *s
}
