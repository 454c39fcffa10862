package closeapi

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// LeadMerge is the activity that records a merge of two leads. Unlike the
// event log the list of them is not known to end after 30 days (inferred).
// Source: developer.close.com/api/resources/activities/lead-merges.
type LeadMerge struct {
	ID                string  `json:"id"`
	SourceLeadID      string  `json:"source_lead_id"`
	DestinationLeadID string  `json:"destination_lead_id"`
	MergeStatus       string  `json:"merge_status,omitzero"` // "done" at the end
	UserID            *string `json:"user_id"`
	DateCreated       Time    `json:"date_created,omitzero"`
	DateUpdated       Time    `json:"date_updated,omitzero"`
	Extra             Extra   `json:",embed"`
}

// Merges walks the merges begun since t.
// Source: developer.close.com/api/resources/activities/lead-merges.
func (s LeadService) Merges(ctx context.Context, t time.Time) iter.Seq2[*LeadMerge, error] {
	q := url.Values{}
	setTime(q, "date_created__gte", t)
	return all[LeadMerge](ctx, s.c, "activity/lead_merge/", q)
}
