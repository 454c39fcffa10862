// Package reconcile decides, from what both sides hold and what they were
// last seen to agree on, what each side must change. It is pure: a conflict is
// a value, not a failure.
package reconcile

import (
	"time"

	"closesync/mapping"
)

// Action is what a plan does to one side's record as a whole.
type Action string

// The actions. Detach and Flag exist only for the local side.
const (
	None   Action = ""
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Detach Action = "detach"
	Flag   Action = "flag"
)

// Reason names why a field or record was decided as it was. Logs, metrics,
// plans and tests use the same words.
type Reason string

// Side is one side's present state of a record.
type Side struct {
	Exists bool
	Record mapping.Record // nil when !Exists
	At     time.Time      // when it was last changed, for PolicyNewest; zero unknown
}

// Input is everything Merge decides from.
type Input struct {
	Base   mapping.Record // nil: the two were never seen together
	Local  Side
	Remote Side
	// Refill says the table was truncated: a missing row is no delete.
	Refill bool
	// Recall says that what hangs at the record was edited in Close, or cannot
	// leave it: a missing row comes back.
	Recall bool
	// Take overrides the policy of a field with an operator's choice.
	Take map[string]Choice
	// Paused fields are not sent to Close and not emptied here: a custom field
	// that was removed or is being converted, or one Close refused.
	Paused map[string]bool
	// Learned are the forms in which Close keeps what was sent to it. Only for
	// to_close, where Close's form does not go to the row.
	Learned map[string]Form
	// Overwritten are values of Close that our writes replaced unseen, by field.
	Overwritten map[string]Overwritten
}

// Form is how Close keeps a value.
type Form struct {
	Sent mapping.Value `json:"sent"`
	Kept mapping.Value `json:"kept"`
}

// Choice is an operator's decision of a conflict.
type Choice struct {
	Take  mapping.Policy // PolicyClose or PolicyLocal; "" with Value set
	Value mapping.Value
}

// Conflict is a field that both sides changed differently.
type Conflict struct {
	Field               string
	Base, Local, Remote mapping.Value
	Rule                string // the policy, or "delete", "to_close", "operator"
	Winner              string // "close", "local" or "" while open
	Open                bool   // decided by nobody yet
}

// Plan is what Merge found to do.
type Plan struct {
	Local     Action
	LocalSet  mapping.Record // values to write to the row
	Remote    Action
	RemoteSet mapping.Record // values to send to Close
	// Base is the base once the local part is written: fields still to be sent
	// keep their old base value (rule R4).
	Base      mapping.Record
	Conflicts []Conflict
	Lost      mapping.Record // local edits that a deletion in Close ends
	Reasons   map[string]Reason
}

// Idle reports whether the plan writes nothing on either side. The base may
// still move.
func (p Plan) Idle() bool { return p.Local == None && p.Remote == None }

// Record is the decision about the record as a whole, "" for plain merging.
func (p Plan) Record() Reason { return p.Reasons[RecordKey] }

// Rule says by which reason a field was decided, a conflict also by which
// policy; of a field without a reason of its own, that of the whole record.
func (p Plan) Rule(field string) string {
	reason := p.Reasons[field]
	if reason == "" {
		reason = p.Record()
	}
	for _, c := range p.Conflicts {
		if c.Field == field && reason == ReasonConflict {
			return string(reason) + ": " + c.Rule
		}
	}
	return string(reason)
}
