package reconcile

import "fmt"

// Limits are the guards of contract.md §1, each for one object type and one
// window. Zero or less switches one off.
type Limits struct {
	MaxDeletes       int // records deleted in Close
	MaxDeletePercent int // of the linked rows
	MaxCreates       int // records created in Close
	MaxClears        int // records of which one field is emptied in Close
	// InboundDeletes is for rows deleted because Close says so; nil is no limit.
	InboundDeletes *int
}

// Counts are the writes of one kind that are planned or done in one window,
// the one that is asked about among them.
type Counts struct {
	Deletes int
	Linked  int // linked rows before the window
	Creates int
	Clears  int
	Field   string // what Clears empties
	Inbound int
}

// minPercentDeletes is how many deletes are needed before a share means
// anything: two of three rows are no disaster.
const minPercentDeletes = 5

// Guard says whether a window of writes must be held for an operator, and in
// which words. It judges one object type at a time.
func Guard(l Limits, c Counts) (held bool, reason string) {
	switch {
	case l.MaxDeletes > 0 && c.Deletes > l.MaxDeletes:
		return true, fmt.Sprintf("%d deletes, more than max_deletes %d", c.Deletes, l.MaxDeletes)
	case l.MaxDeletePercent > 0 && c.Deletes >= minPercentDeletes && c.Deletes*100 > l.MaxDeletePercent*c.Linked:
		return true, fmt.Sprintf("%d deletes of %d linked rows, more than max_delete_percent %d",
			c.Deletes, c.Linked, l.MaxDeletePercent)
	case l.MaxCreates > 0 && c.Creates > l.MaxCreates:
		return true, fmt.Sprintf("%d creates, more than max_creates %d", c.Creates, l.MaxCreates)
	case l.MaxClears > 0 && c.Clears > l.MaxClears:
		return true, fmt.Sprintf("%s emptied in %d rows, more than max_clears %d", c.Field, c.Clears, l.MaxClears)
	case l.InboundDeletes != nil && c.Inbound > *l.InboundDeletes:
		return true, fmt.Sprintf("%d deletes from Close, more than inbound_deletes %d", c.Inbound, *l.InboundDeletes)
	}
	return false, ""
}
