package engine

import (
	"fmt"
	"slices"

	"closesync/mapping"
)

// Undecided is what of a record waits for a person already. A full compare does
// nothing about it, so that no cycle of a rehearsal meets it.
type Undecided struct {
	ID                            int64 // of the hold or the conflict
	ObjectType, CloseID, LocalKey string
	Kind                          HoldKind // "" for a conflict
	Field, Rule                   string
	Base, Local, Remote           mapping.Value // of the field
}

// waiting notes what waits for a person.
func (l *itemList) waiting(u Undecided) {
	n := newNoter(nil, &State{Type: u.ObjectType, CloseID: u.CloseID, LocalKey: u.LocalKey}, nil)
	n.common.Seen = ""
	if u.Kind == "" {
		n.add(PlanItem{Side: sideBoth, Action: "conflict", Field: u.Field, Old: u.Local, New: u.Remote, Rule: u.Rule,
			Hold: fmt.Sprintf("conflict %d waits for a decision between the local value and Close's", u.ID)})
	} else {
		n.st.Base = mapping.Record{u.Field: u.Base}
		n.held(Hold{Kind: u.Kind, Field: u.Field, Reason: fmt.Sprintf("hold %d: %s", u.ID, u.Rule)})
		n.items[0].Rule = ruleOf(u.Kind)
	}
	l.addUnnoted(n)
}

// ruleOf is the rule of the items that a guard keeps back.
func ruleOf(kind HoldKind) string {
	if kind == HoldFirst {
		return FirstStart
	}
	return "guard"
}

// addUnnoted adds the item of a noter; of one that the record has already it
// gives the number to decide by.
func (l *itemList) addUnnoted(n *noter) {
	known := slices.Clone(l.records[n.key()])
	at := slices.IndexFunc(known, func(k PlanItem) bool {
		return k.Hold != "" && k.Action == n.items[0].Action && k.Field == n.items[0].Field
	})
	if at >= 0 {
		known[at].Hold = n.items[0].Hold
		l.set(n.key(), known)
		return
	}
	l.set(n.key(), append(known, n.items...))
}
