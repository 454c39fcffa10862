package reconcile

// RecordKey is the key under which Plan.Reasons holds the decision about the
// record as a whole; all other keys are field names.
const RecordKey = ""

// Reasons for a field.
const (
	ReasonRemoteEdit  Reason = "remote_edit" // only Close changed: goes to the row
	ReasonLocalEdit   Reason = "local_edit"  // only the row changed: goes to Close
	ReasonSameEdit    Reason = "same_edit"   // both hold the same new value: only the base moves
	ReasonRefresh     Reason = "refresh"     // list items gain what Close derives
	ReasonListMerge   Reason = "list_merge"  // items of both sides joined
	ReasonPutBack     Reason = "put_back"    // an edit on the side that may not edit is undone
	ReasonMirror      Reason = "mirror"      // read-only or from_close: follows Close
	ReasonConflict    Reason = "conflict"    // both changed, the policy decided
	ReasonOpen        Reason = "open"        // both changed, an operator must decide
	ReasonOperator    Reason = "operator"    // an operator decided
	ReasonOverwritten Reason = "overwritten" // Close's value was replaced unseen by our write
	ReasonPaused      Reason = "paused"      // the field is neither sent nor emptied for now
	ReasonUnknown     Reason = "unknown"     // one side's reading does not say
	ReasonWaitParent  Reason = "wait_parent" // the parent row has no Close id yet
	ReasonLearned     Reason = "learned"     // Close keeps the row's value in a form of its own
	ReasonRequired    Reason = "required"    // a field that cannot be empty was emptied
)

// Reasons for a record.
const (
	ReasonNew           Reason = "new"            // exists on one side, never linked
	ReasonNoParent      Reason = "no_parent"      // a child without a parent can exist on neither side
	ReasonNotSent       Reason = "not_sent"       // from_close: a local insert stays here
	ReasonNotTaken      Reason = "not_taken"      // to_close: Close's own records stay there
	ReasonRemoteDeleted Reason = "remote_deleted" // deleted in Close, which wins over edits here
	ReasonLocalDeleted  Reason = "local_deleted"  // deleted here, unchanged in Close
	ReasonDeleteIgnored Reason = "delete_ignored" // on_local_delete: ignore
	ReasonRestored      Reason = "restored"       // deleted here, but edited in Close or only a mirror
	ReasonRecalled      Reason = "recalled"       // deleted here, but something below it was edited or stays
	ReasonRefilled      Reason = "refilled"       // truncated table
	ReasonBothDeleted   Reason = "both_deleted"   // nothing left to keep
)

// The rules of a Conflict that are no policies.
const (
	RuleDelete    = "delete"
	RuleToClose   = "to_close"
	RuleFromClose = "from_close"
	RuleOperator  = "operator"
)

// The winners of a Conflict.
const (
	WinnerClose = "close"
	WinnerLocal = "local"
)
