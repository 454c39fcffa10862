package store

import (
	"context"
	"fmt"
	"time"
)

// Explanation is a record with everything that keeps it as it is.
type Explanation struct {
	RecordItem
	Conflicts  []ConflictItem `json:"conflicts"` // open ones
	Holds      []HoldItem     `json:"holds"`     // open ones
	Writes     []WriteItem    `json:"writes"`    // to Close, whose outcome is not known
	LastChange *JournalItem   `json:"last_change"`
	Row        *RowNotes      `json:"row"` // nil: not looked at
}

// WriteItem is a write to Close.
type WriteItem struct {
	ID        int64      `json:"id"`
	Action    string     `json:"action"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at"`
	Error     *string    `json:"error"`
}

// Explain gathers what is known about the records that Records finds.
func (l Lists) Explain(ctx context.Context, id string) ([]Explanation, error) {
	found, err := l.Records(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("store.Explain(%q): %w", id, err)
	}
	list := []Explanation{}
	for _, r := range found {
		e, err := l.explain(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("store.Explain(%q): %w", id, err)
		}
		list = append(list, e)
	}
	return list, nil
}

func (l Lists) explain(ctx context.Context, r RecordItem) (e Explanation, err error) {
	e.RecordItem = r
	if e.Conflicts, err = collect[ConflictItem](ctx, l.q, conflictColumns+`WHERE id IN (SELECT id FROM closesync.conflict_log
		WHERE record_id = $1 AND status = 'open') ORDER BY id`, r.ID); err != nil {
		return e, err
	}
	if e.Holds, err = collect[HoldItem](ctx, l.q, holdColumns+`WHERE h.status = 'open' AND h.id IN (SELECT hold_id FROM closesync.hold_items
		WHERE record_id = $1) ORDER BY h.id`, r.ID); err != nil {
		return e, err
	}
	if e.Writes, err = collect[WriteItem](ctx, l.q, `SELECT id, action, state, created_at, sent_at, error FROM closesync.intents
		WHERE record_id = $1 AND state IN ('open', 'unknown') ORDER BY id`, r.ID); err != nil {
		return e, err
	}
	last, err := collect[JournalItem](ctx, l.q, journalColumns+`WHERE c.name = $1 AND j.id = (SELECT max(id) FROM (
		SELECT max(id) AS id FROM closesync.journal_log WHERE close_id = $2
		UNION ALL SELECT max(id) FROM closesync.journal_log WHERE object_type = $3 AND local_key = $4) v)`,
		r.Connection, r.CloseID, r.ObjectType, r.LocalKey)
	if len(last) > 0 {
		e.LastChange = &last[0]
	}
	return e, err
}
