package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// parkWrite keeps what Close refused in sight: the named fields are not sent
// again until the row is edited; the rest goes on, and a record is created
// without them if it can be known by what is left.
func (r *round) parkWrite(ctx context.Context, st *State, c *Claim, fate Ended, call *CallError) error {
	o, in := r.Objects[st.Type], st.Outcome.Intent
	refused := func(f mapping.Field) bool { return call.Fields[f.Close] != "" }
	if err := r.lookForParents(ctx, o, in, refused); err != nil {
		return err
	}
	return r.end(ctx, st, c, fate, func(_ Present, now *State) {
		parked := map[string]string{}
		for path, message := range call.Fields {
			if f, ok := sentField(in.Sent, path); ok {
				parked[f] = message
			}
		}
		if len(parked) == 0 { // it names none: any of them may be meant
			for f := range in.Sent {
				parked[f] = call.Message
			}
		}
		rest := in.Sent.Clone()
		for f := range parked {
			delete(rest, f)
		}
		out := &Outcome{Status: Errored, Class: call.Class, Error: call.Message, Parked: parked}
		out.Plan.Base = now.Base
		switch in.Action {
		case reconcile.Update:
			out.Mark = len(rest) > 0 || homeless(o, parked)
		case reconcile.Create:
			out.Mark = knownBy(o, rest)
		}
		out.Fetch = out.Mark
		c.LocalAt = time.Time{}
		now.Outcome = out
	})
}

// sentField finds the sent field that a path of Close's field errors means.
func sentField(sent mapping.Record, path string) (string, bool) {
	for f := range sent {
		if path == f || strings.HasPrefix(path, f+".") {
			return f, true
		}
	}
	return "", false
}

// knownBy reports whether people would know a record that holds just this: by
// one of its telling fields, a lead by its name. What is not is better not made.
func knownBy(o *mapping.Object, sent mapping.Record) bool {
	return slices.ContainsFunc(telling, func(name string) bool {
		f, ok := o.Field(name)
		return ok && f.Kind != mapping.Reference && !sent.Get(name).IsNull()
	})
}

// lookForParents has parents read that Close refuses or may be missing: one
// that is gone takes the row along.
func (r *round) lookForParents(ctx context.Context, o *mapping.Object, in *Intent, which func(mapping.Field) bool) error {
	for _, f := range o.Parents() {
		id, ok := in.Sent.Get(f.Close).Text()
		if !ok || !which(f) {
			continue
		}
		if err := r.Local.Mark(ctx, f.Parent, []string{id}, Cause{"source": "parent"}, 1); err != nil {
			return err
		}
	}
	return nil
}
