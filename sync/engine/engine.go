package engine

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Local is the Postgres side. Every method owns its transaction and may run
// twice; package store satisfies it.
type Local interface {
	// Decide calls decide with the batch's states, locked, and carries out their
	// outcomes in the same transaction; an error of decide undoes it all.
	Decide(ctx context.Context, b Batch, decide func(Present, []*State) error) error
	Claim(ctx context.Context, n int, lease time.Duration) ([]*Claim, error)
	Release(ctx context.Context, claims []*Claim, delay time.Duration) error
	// Restless tells which of the claimed records were changed here again since.
	Restless(ctx context.Context, claims []*Claim) (map[int64]bool, error)
	// Absorb turns up to n captured changes into marks. A full compare is owed
	// for the types that were truncated.
	Absorb(ctx context.Context, n int) (count int, truncated []string, err error)
	Accept(ctx context.Context, source string, events []Event) (fresh int, err error)
	// Bodies gives stored events by row; those whose content may not be used are
	// left out.
	Bodies(ctx context.Context, rows []int64) (map[int64]Stored, error)
	Mark(ctx context.Context, objectType string, closeIDs []string, cause Cause, priority int) error
	NextDue(ctx context.Context) (time.Duration, bool, error)
	// Hinted reports whether there are captured changes that Absorb would take.
	Hinted(ctx context.Context) (bool, error)
	FinishIntent(ctx context.Context, id int64, state, problem string) error
	// SetCandidates leaves an open create to a person.
	SetCandidates(ctx context.Context, intent int64, closeIDs []string) error
	OpenCreates(ctx context.Context, recordIDs []int64) (map[int64]OpenCreate, error)
	AllCreates(ctx context.Context, objectType string) ([]OpenCreate, error)
	OpenWrites(ctx context.Context, recordIDs []int64) (map[int64][]OpenWrite, error)
	// Writes gives the updates of records in the window, oldest first.
	Writes(ctx context.Context, recordIDs []int64, window time.Duration) (map[int64][]Write, error)
	// Crossings gives the updates of records that Close did not answer with a
	// version before since, oldest first.
	Crossings(ctx context.Context, recordIDs []int64, since time.Time) (map[int64][]Crossing, error)
	// Endings gives the deletes of ours that ended records, and those that were
	// meant for records of the given Close ids.
	Endings(ctx context.Context, recordIDs []int64, owners []string) (map[int64]Ending, map[string]Ending, error)
	Linked(ctx context.Context, objectType string, closeIDs []string) (map[string]bool, error)
	Gone(ctx context.Context, recordIDs []int64) (map[int64]Gone, error)
	Relatives(ctx context.Context, objectType string, closeIDs []string) (found map[string]Relative, creating bool, err error)
	// HeldTypes lists the object types that have an open hold of deletes or clears.
	HeldTypes(ctx context.Context) ([]string, error)
	Choices(ctx context.Context, recordIDs []int64) (map[int64]map[string]reconcile.Choice, error)
	Checkpoint(ctx context.Context, stream string) (Checkpoint, error)
	// Standing is all that a search needs to know before it asks Close.
	Standing(ctx context.Context, objectType string) (Standing, error)
	SaveCheckpoint(ctx context.Context, c Checkpoint) error
	Owe(ctx context.Context, types []string) error
	Unchanged(ctx context.Context, objectType string, ids []string, hashes []int64) ([]bool, error)
	AuditRows(ctx context.Context, objectType string) (marked int, err error)
	Unseen(ctx context.Context, objectType string, since time.Time) ([]string, error)
	Known(ctx context.Context, objectType string) (int, error)
	ReportTwins(ctx context.Context, objectType string, groups [][]string) error
	FirstLoads(ctx context.Context) (map[string]FirstLoad, error)
	BeginLoad(ctx context.Context, types []string) error
	// Stage keeps records apart until rows of before were matched with them.
	Stage(ctx context.Context, records map[string][]mapping.Remote, cp *Checkpoint) error
	Match(ctx context.Context, types []string) error
	// Staged gives up to n staged records of a type behind the last one; Unstage
	// forgets them.
	Staged(ctx context.Context, objectType string, last mapping.Remote, n int) ([]mapping.Remote, error)
	Unstage(ctx context.Context, records []mapping.Remote) error
	AnyStaged(ctx context.Context) (bool, error)
	EndLoad(ctx context.Context, types []string) error
	StartRun(ctx context.Context, kind, objectType string) (int64, error)
	FinishRun(ctx context.Context, id int64, seen, changed, requests int64, problem error) error
	SaveReference(ctx context.Context, r Reference) error
	// Epoch names one life of the database; see restored.go.
	Epoch(ctx context.Context) (string, error)
	// Heard tells which Close ids have or had a row here.
	Heard(ctx context.Context, objectType string, closeIDs []string) (map[string]bool, error)
	// Unsent gives the records of rows that have no Close id and no create under way.
	Unsent(ctx context.Context, objectType string) ([]int64, error)
	Pauses(ctx context.Context) (toClose, fromClose bool, err error)
}

// Stored is an event that was received, and how long ago.
type Stored struct {
	Body []byte
	Age  time.Duration
}

// Standing is where the search for changes of a type stands.
type Standing struct {
	Checkpoint      // of its SearchStream
	Loaded     bool // its first load has ended
	Paused     bool // no row is written now
}

// FirstLoad is how far an object type has come into being here.
type FirstLoad struct {
	Staged  bool // what Close holds is kept apart until it is matched with rows
	Matched bool
	Loaded  bool
}

// FirstStart is the kind of hold for rows that were there before the first
// load of their type; FirstStartReason is what it says.
const (
	FirstStart       = "first_start"
	FirstStartReason = "was there before the first load and is not in Close; `closesync holds approve` has it created"
)

// OpenCreate is a create whose outcome is not known yet.
type OpenCreate struct {
	Intent int64
	Sent   mapping.Record
	Marker string        // "" if it was sent without one
	Since  time.Time     // not after its sending, in Close's time; zero if unknown
	Age    time.Duration // since it was stored, by the clock of Postgres
}

// Found is a record of which the event log says that it was created.
type Found struct {
	mapping.Remote
	Ours bool // with this key
}

// OpenWrite is an update or a delete whose answer was lost.
type OpenWrite struct {
	Intent int64
	Action reconcile.Action
	Sent   mapping.Record
}

// Page is one page of records of Close.
type Page struct {
	Records  []mapping.Remote
	Bad      []error // records that could not be read; the others go on
	Full     bool    // there may be more after it
	Total    int     // records of the whole window, these included; 0 if Close does not say
	Bytes    int     // of its records as Close sent them
	Requests int
}

// Window is a span of date_created or date_updated: From <= t < To. A zero end
// is open.
type Window struct {
	From, To time.Time
	Counted  bool // the page shall tell its Total
	Most     int  // records that a page may hold; 0 for as many as Close gives
}

// Remote is the Close side; package remote satisfies it. Its errors are
// *CallError where the caller can act on them.
type Remote interface {
	Fetch(ctx context.Context, objectType, id string) Reading
	// Family is Fetch of a record together with its children.
	Family(ctx context.Context, objectType, id string) Reading
	// Create makes a record. marker goes into the type's marker field, if any.
	Create(ctx context.Context, objectType string, set mapping.Record, marker string) (mapping.Remote, error)
	Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error)
	Delete(ctx context.Context, objectType, id string) error
	// Search gives one page of at most 200 records in ascending order of field
	// (date_created or date_updated); leads may carry their children.
	Search(ctx context.Context, objectType, field string, w Window, nested bool, skip map[string]bool) (Page, error)
	// Newest is the greatest value of the field; zero when unknown.
	Newest(ctx context.Context, objectType, field string) (time.Time, error)
	// Count is how many records of a type there are; false if Close does not say.
	Count(ctx context.Context, objectType string) (int, bool, error)
	// Events walks the event log from the newest back to since.
	Events(ctx context.Context, since time.Time, each func([]Event) error) (newest time.Time, err error)
	// Created lists what was created since then, from the event log: all that
	// this key made, and of others what the log shows with a marker.
	Created(ctx context.Context, objectType string, since time.Time) ([]Found, error)
	// InScope tells which records a type's filter matches.
	InScope(ctx context.Context, objectType string, ids []string) (map[string]bool, error)
	Now(ctx context.Context) (time.Time, error)
	Answered() time.Time // Close's time at its last answer
	Reference(ctx context.Context) (Reference, error)
	Requests() int64
}

// Reference is Close's catalogue: who and which statuses and fields exist. A
// nil list could not be read, as for want of a permission; what is known of it
// stays.
type Reference struct {
	Users         []User
	LeadStatuses  []LeadStatus
	Pipelines     []Pipeline
	Opportunities []OpportunityStatus
	CustomFields  []CustomField
	Incomplete    bool // further custom fields may exist
}

// The rows of crm's reference tables.
type (
	User struct {
		ID, Email, FirstName, LastName string
		Active                         bool
	}
	LeadStatus        struct{ ID, Label string }
	Pipeline          struct{ ID, Name string }
	OpportunityStatus struct {
		ID, Label, Type, PipelineID string
		Position                    int
	}
	CustomField struct {
		ID, ObjectType, Name, Type string
		Multiple, Converting       bool
		Choices                    []string
	}
)

// CallError is a call to Close that did not do what it was asked.
type CallError struct {
	Class   string // "unauthorized", "plan", "forbidden", "missing", "invalid", "limited", "unknown", "transient"
	Message string
	Fields  map[string]string // what Close said about single fields
	Wait    time.Duration     // with "limited"
}

func (e *CallError) Error() string { return e.Class + ": " + e.Message }

// Options makes an Engine.
type Options struct {
	Objects     map[string]*mapping.Object
	Local       Local
	Remote      Remote
	Now         func() time.Time
	Logger      *slog.Logger
	Optimistic  bool // push.verify: optimistic
	Guards      reconcile.Limits
	GuardWindow time.Duration
	Workers     int                                          // calls to Close at once; 8 if 0
	Lease       time.Duration                                // of a claim; a minute if 0
	Settle      time.Duration                                // before an unanswered create is repeated: longer than a request may take; 40 s if 0
	Applied     func(direction Direction, lag time.Duration) // a noticed change has arrived; nil tells nobody
}

// Direction is the way that a change takes.
type Direction string

// The directions, as the journal names them.
const (
	FromClose Direction = "from_close"
	ToClose   Direction = "to_close"
)

// Engine runs cycles for one connection. It is safe for concurrent use.
type Engine struct {
	Options
	catalogue catalogue
	verified  atomic.Pointer[string] // the database's epoch in which its creates are known
	markers   markers
	pace      pace
	doubt     atomic.Bool // a custom field may have been removed: look
	emptied   atomic.Bool // see Emptied
}

// New makes an Engine.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Settle == 0 {
		o.Settle = 40 * time.Second
	}
	if o.GuardWindow == 0 {
		o.GuardWindow = time.Hour
	}
	return &Engine{Options: o}
}
