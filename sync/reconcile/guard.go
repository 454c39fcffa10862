package reconcile

import "fmt"

// Limits are the guards of contract.md §1. Zero or less switches one off.
type Limits struct {
	MaxDeletes       int // records deleted in Close in one window
	MaxDeletePercent int // of the linked rows
	MaxCreates       int // records created in Close in one window
	MaxClears        int // fields emptied in Close in one window
}

// Counts are the writes to Close that are planned or done in one window.
type Counts struct {
	Deletes, Creates, Clears int
	Linked                   int // linked rows before the window
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
		return true, fmt.Sprintf("%d fields emptied, more than %d", c.Clears, l.MaxClears)
	}
	return false, ""
}

// CountPlan adds what a plan would do in Close to c. Emptying a field counts
// once per field.
func (c *Counts) CountPlan(p Plan) {
	switch p.Remote {
	case Delete:
		c.Deletes++
	case Create:
		c.Creates++
	case Update:
		for _, v := range p.RemoteSet {
			if v.IsNull() {
				c.Clears++
			}
		}
	}
}
