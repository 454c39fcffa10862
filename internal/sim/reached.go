package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// reached counts what happened at all, by name: kinds of steps and faults,
// points at which a worker died, reasons of the merge. A simulation proves
// nothing about what never occurs in it.
type reached map[string]int

// rare is how many scenarios it takes until all that must happen has: a delete
// in Close is under way at the death of a worker a few times in as many.
const rare = 10_000

// mustHappen is everything of which a run of that length has to see at least
// one.
func mustHappen() []string {
	var names []string
	add := func(kind string, list ...string) {
		for _, name := range list {
			names = append(names, kind+" "+name)
		}
	}
	add("fault", faultKinds...)
	for _, side := range []string{"close", "local"} {
		add("step "+side, "create", "set", "clear", "undo", "add", "remove", "delete", "move")
	}
	add("step close", "merge")
	add("step local", "begin", "commit", "rollback")
	add("step hook", "deliver", "repeat", "drop", "delay", "flush")
	add("step clock", "advance")
	for _, worker := range []string{"w1", "w2"} {
		add("step "+worker, "cycle", "tail", "search", "audit", "check", "go", "crash")
	}
	add("death at", deaths...)
	for _, r := range reasons {
		add("merge", string(r))
	}
	return names
}

// deaths are the points at which a worker is to have died: each sort of call
// before it is sent and after it is answered, each sort of statement.
var deaths = []string{
	"send GET", "answer GET", "send POST", "answer POST", "send PUT", "answer PUT", "send DELETE", "answer DELETE", "answer webhook",
	"sql begin", "sql commit", "sql SELECT", "sql INSERT", "sql UPDATE", "sql DELETE", "sql WITH",
}

// reasons are those of the merge that these worlds lead to.
var reasons = []reconcile.Reason{
	reconcile.ReasonRemoteEdit, reconcile.ReasonLocalEdit, reconcile.ReasonSameEdit, reconcile.ReasonRefresh, reconcile.ReasonListMerge,
	reconcile.ReasonMirror, reconcile.ReasonConflict, reconcile.ReasonOverwritten, reconcile.ReasonWaitParent,
	reconcile.ReasonUnknown, reconcile.ReasonNew, reconcile.ReasonRemoteDeleted, reconcile.ReasonLocalDeleted,
	reconcile.ReasonRestored, reconcile.ReasonRecalled, reconcile.ReasonBothDeleted,
}

// elsewhere are the others, with what these worlds lack for them.
var elsewhere = map[reconcile.Reason]string{
	reconcile.ReasonOpen:          "a policy of manual",
	reconcile.ReasonOperator:      "an operator",
	reconcile.ReasonPaused:        "custom fields that go, and refusals of one field",
	reconcile.ReasonLearned:       "a direction of to_close",
	reconcile.ReasonNoParent:      "rows without a parent",
	reconcile.ReasonRequired:      "a parent that is taken away",
	reconcile.ReasonPutBack:       "an edit of a column that nobody may edit",
	reconcile.ReasonNotSent:       "a direction of from_close",
	reconcile.ReasonNotTaken:      "a direction of to_close",
	reconcile.ReasonDeleteIgnored: "on_local_delete: ignore",
	reconcile.ReasonRefilled:      "a TRUNCATE, or a rejected hold",
}

// died notes where a worker was when it was killed.
func (r reached) died(point string) { r["death at "+sortOf(point)]++ }

// sortOf is a yield point without what it is about.
func sortOf(point string) string {
	words := strings.Fields(point)
	return strings.Join(words[:min(len(words), 2)], " ")
}

// missing names what should have happened in so many scenarios and did not.
func (r reached) missing(scenarios int) []string {
	if scenarios < rare {
		return nil
	}
	return slices.DeleteFunc(mustHappen(), func(name string) bool { return r[name] > 0 })
}

// table prints the counters that must not stay 0.
func (r reached) table() string {
	var b strings.Builder
	kind := ""
	for _, name := range mustHappen() {
		first, rest, _ := strings.Cut(name, " ")
		if first != kind {
			kind = first
			fmt.Fprintf(&b, "\n%s:", kind)
		}
		fmt.Fprintf(&b, "  %s %d", rest, r[name])
	}
	return b.String()
}

// observed is the store of a worker, with the merge's reasons noted.
type observed struct {
	engine.Local
	reached reached
}

// Decide satisfies engine.Local.
func (o observed) Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	return o.Local.Decide(ctx, b, func(now engine.Present, states []*engine.State) error {
		err := decide(now, states)
		for _, st := range states {
			if st.Outcome == nil {
				continue
			}
			for _, why := range st.Outcome.Plan.Reasons {
				o.reached["merge "+string(why)]++
			}
		}
		return err
	})
}
