package engine

import (
	"maps"
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// unfitPrefix begins the reason why a field rests of which Close holds a value
// that its column cannot hold, or that is not of the field's type (fault A15).
// Unlike what Close refused, it ends with the next reading that fits.
const unfitPrefix = "Close holds a value that does not fit: "

// heedUnfit takes the fields with unfit values out of the merge. They say
// nothing, and must not look empty; an edit made here waits, because it would
// overwrite what nobody here has seen.
func heedUnfit(st *State, remote mapping.Remote, in *reconcile.Input) {
	for name := range remote.Invalid {
		if v, ok := st.Base[name]; ok {
			remote.Record[name] = v
		}
		in.Paused[name] = true
	}
}

// refusedFields are the parked fields that Close refused.
func refusedFields(parked map[string]string) map[string]string {
	refused := map[string]string{}
	for name, reason := range parked {
		if !strings.HasPrefix(reason, unfitPrefix) {
			refused[name] = reason
		}
	}
	return refused
}

// stillRefused are those whose refusal has not become void: both sides hold the
// same there after the plan, as when the row was filled again. A move that was
// put back is equal, too, and goes on telling why.
func stillRefused(o *mapping.Object, parked map[string]string, in reconcile.Input, plan reconcile.Plan) map[string]string {
	refused := refusedFields(parked)
	for name := range refused {
		f, ok := o.Field(name)
		if !ok || !in.Remote.Exists || f.Kind == mapping.Reference && f.Required {
			continue
		}
		here := in.Local.Record.Get(name)
		if v, set := plan.LocalSet[name]; set {
			here = v
		}
		if mapping.Same(f, here, in.Remote.Record.Get(name)) {
			delete(refused, name)
		}
	}
	return refused
}

// parkUnfit notes the unfit fields of a reading. The others go on.
func (out *Outcome) parkUnfit(invalid map[string]string) {
	if len(invalid) == 0 {
		return
	}
	for name, reason := range invalid {
		out.Parked[name] = unfitPrefix + reason
	}
	out.Status = Errored
	if out.Error != "" && !strings.Contains(out.Error, unfitPrefix) {
		return // Close's own words come first; the fields are all in why
	}
	out.Error, out.Class = reasons(out.Parked), "value"
}

// reasons are those of parked fields in one text.
func reasons(parked map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(parked)) {
		list = append(list, parked[name])
	}
	return strings.Join(slices.Compact(list), "; ")
}
