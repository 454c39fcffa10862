// Package engine runs the cycle: read base, local and remote, reconcile,
// apply, save the base. It owns the interfaces of both sides; package store
// and package remote satisfy them and never meet.
package engine

import (
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Status is a record's state as record_status shows it, "pending" aside, which
// follows from its dirty mark.
type Status string

// The states of contract.md §4.
const (
	Synced   Status = "synced"
	Conflict Status = "conflict"
	Errored  Status = "error"
	Held     Status = "held"
	Hidden   Status = "hidden"
	Detached Status = "detached"
	Deleted  Status = "deleted"
)

// Cause says what made a change happen; it is kept in the journal.
type Cause map[string]any

// State is what Postgres holds of one record, locked until the transaction in
// which it was read ends. The decision is written into its Outcome.
type State struct {
	ID       int64 // row of closesync.records; 0 for a record never seen
	Type     string
	CloseID  string // "" until known
	LocalKey string // "" without a row
	Base     mapping.Record
	Local    reconcile.Side
	Version  time.Time // date_updated of the newest reading applied
	Hash     int64     // mapping.Hash of that reading
	Status   Status
	AliasOf  string // lead that this one was merged into
	Existed  bool   // the row was there before the first load, and is not released
	Removed  bool   // what its row held when somebody deleted it is kept, in case it comes back
	Unseen   bool   // its row went without having been deleted
	Touched  bool   // the row was written by somebody else since our last write
	Parked   map[string]string
	Error    string
	Class    string // of the error
	Learned  map[string]reconcile.Form
	Holds    []Hold            // its parts in batches that guards stopped, as far as they still count
	Absent   map[string]Absent // by field: records it may refer to whose deletion here is undecided
	Owner    Owner             // with Batch.Owners
	// Unreadable says why the row cannot be understood, such as an object where
	// a list belongs: it is left as it is and parked. "" for a good row.
	Unreadable string
	// Mislabelled: the row's Close id was changed; it is put back.
	Mislabelled bool
	// Busy: somebody else has the row locked, so that it is as it was last
	// committed, and nothing may be written to it.
	Busy bool
	// Creating are the creates of this type that are under way: an unknown
	// record of Close may be the effect of one.
	Creating Creating
	Awaits   []Await
	// Meets are the records that a row of before the first load may be, or the
	// rows that a record may be; Certain is the only one, if it is that of nobody
	// else. Keys are those by which it was matched, sorted, while it is left to a
	// person. Rekeyed: its row was edited and has other keys by now.
	Meets    []string
	Certain  string
	Keys     []string
	Rekeyed  bool
	WaitsFor string // parent that it was last found to wait for
	// Landed: Base was moved to what a write without an answer is seen to have
	// done, which is not saved yet.
	Landed bool
	// Unanswered: a write of ours to it has no answer yet; known without claims
	// only.
	Unanswered bool
	// Refused: the outcome before this one was refused by Postgres; nothing goes
	// into the row.
	Refused *Refusal
	Outcome *Outcome
	// Ended are writes to Close whose fate is known by now.
	Ended []Ended
}

// Ended is a write to Close whose fate is known: its intent ends, and the
// journal tells of it, in the transaction that takes the fate in. Between two
// transactions a crash would leave it open for good.
type Ended struct {
	Intent    int64
	State     string           // "done", "failed" or "unknown"
	Problem   string           // in words; "" for none
	Action    reconcile.Action // what was done in Close; "" for nothing
	Old, Sent mapping.Record   // with Action: the fields before and after
	Answer    mapping.Record   // what Close then held of them; nil if not known
	Left      time.Time        // the record's version then; zero if not known
	Why       *Outcome         // what decided it; nil if that is forgotten
}

// Outcome is what to do with a record. A nil Outcome changes nothing, and a zero
// one only looks: base, link, version, state and reasons stay what they are.
type Outcome struct {
	Plan    reconcile.Plan
	CloseID string    // link to this Close id; "" keeps what is known
	Version time.Time // zero keeps what is known, as does Hash then
	Hash    int64
	// Status "" leaves the record in its state, with the error, its class and the
	// parent it waits for. Any other takes the place of all four.
	Status  Status
	Error   string
	Class   string
	AliasOf string
	Parked  map[string]string         // nil keeps what is known
	Learned map[string]reconcile.Form // nil keeps what is known
	Rekey   bool                      // Keys replace those by which the record is matched
	Keys    []string
	// WaitsFor is the parent whose link makes the record due, see LocalName and
	// CloseName.
	WaitsFor string
	Cause    Cause
	Silent   bool          // no journal and no notification: the first load
	Intent   *Intent       // a write to Close, to be sent after the commit
	Mark     bool          // mark the record dirty: its decision needs another look
	Fetch    bool          // with Mark: a fresh reading is needed
	After    time.Duration // with Mark: not before this long from now
	// Whole: both sides were compared, so that open holds which are not among
	// Holds have nothing to hold any more.
	Whole bool
	Holds []Hold // what guards keep back
	Done  []Hold // decisions of operators that are carried out
	// Untouched: nothing is written to the row, not even its Close id.
	Untouched bool
	Move      string // lead id: children of this row move there before it is deleted
	// Family are records of children whose rows were deleted with this one's:
	// they are gone in Close with it, or are read again if it comes back.
	Family []int64
	Unmark bool    // take the record's mark away: only a new edit looks at it again
	Wake   []int64 // records to be looked at again if this one comes back
	Told   []Told  // writes of ours of which more is known now
	Parted bool    // what a delete of ours took along is in Plan.Conflicts
}

// Present is what may not be done yet, or not now, at the moment of a decision,
// read in the decision's own transaction.
type Present struct {
	ToClosePaused   bool // nothing is sent to Close
	FromClosePaused bool // no row is written
	// Loaded are the types whose first load is complete: before that nothing of
	// theirs is sent.
	Loaded map[string]bool
	// Staged are those being loaded whose records get no row before rows of
	// before were matched with them.
	Staged map[string]bool
	Tally  Tally
	Epoch  string
}

// Intent is one write to Close. It is stored before it is sent (rule R3).
type Intent struct {
	ID     int64
	Action reconcile.Action
	Sent   mapping.Record
	Seen   mapping.Record // what Close held in those fields
	Marker string         // of a create, given when it is stored
	Plain  bool           // a create that goes without a marker
	Since  time.Time      // not after its sending, in Close's time
	Read   time.Time      // version of the reading that an update was made from
	Ends   []Parting      // of a delete: the records that it ends
}

// Claim is a dirty record that this worker holds for a while.
type Claim struct {
	RecordID int64
	Type     string
	CloseID  string
	LocalKey string
	Status   Status
	Gen      int64
	Fence    int64
	Events   []int64
	Fetch    bool
	Attempts int
	LocalAt  time.Time
	Cause    Cause
	MarkedAt time.Time
	Refill   bool          // a record it refers to has its row again
	Retry    time.Duration // set by the cycle: look again after this long
	Wait     time.Duration // set by the cycle: so too, for news alone may do without a reading then
	Keep     bool          // set by the cycle: a write to Close is under way
	Sleep    bool          // set by the cycle: it waits until an operator ends a pause
}

// begin forgets what an earlier try of the same decision said.
func (c *Claim) begin() { c.Retry, c.Wait, c.Keep, c.Sleep = 0, 0, false, false }

// Reading is one look at a record of Close.
type Reading struct {
	Remote mapping.Remote
	Gone   bool   // deleted or merged: an event or a confirmed 404 says so
	Into   string // lead it was merged into
	Hidden bool   // not visible to the key
	Out    bool   // not within the user's filter
	Fresh  bool   // read by id in this cycle
	Cause  Cause
	Err    error
}

// Batch names the records one transaction decides on.
type Batch struct {
	IDs        map[string][]int64  // by object type: rows of closesync.records
	CloseIDs   map[string][]string // by object type: records known by Close id only
	Claims     []*Claim            // claims that end with the transaction
	Checkpoint *Checkpoint         // moves last, with the effects it covers (rule R7)
	Run        int64
	Owners     bool // look up State.Owner
	// Lazy: the commit is not waited for to reach the disk. Should the server
	// crash, the batch and its checkpoint are undone together, and read again.
	Lazy bool
}

// Checkpoint is how far a stream of Close was processed.
type Checkpoint struct {
	Stream    string
	Watermark time.Time // in Close's time
	Position  map[string]any
	LastRun   time.Time
	// Epoch of the database it was read from: it is not saved in another one,
	// which may have forgotten what it covers. "" is saved anywhere.
	Epoch string
}

// Event is an event as it was received, to be stored whole.
type Event struct {
	ID          string
	Updated     time.Time
	ObjectType  string
	ObjectID    string
	Action      string
	MergeSource string
	Body        []byte // the event object alone
	Stale       bool   // its record must be fetched, its content not used
	Foreign     bool   // of another organization: kept, never acted on
	Bulk        bool   // one of a bulk action's very many: others go first
}
