package closeapi

import (
	"context"
	"iter"
	"time"
)

// Opportunity is a possible sale.
// Source: developer.close.com/api/resources/opportunities.
type Opportunity struct {
	ID             string  `json:"id"`
	OrganizationID string  `json:"organization_id,omitzero"`
	LeadID         string  `json:"lead_id"`
	ContactID      *string `json:"contact_id"`
	UserID         *string `json:"user_id"`
	StatusID       string  `json:"status_id,omitzero"`
	StatusLabel    string  `json:"status_label,omitzero"`
	StatusType     string  `json:"status_type,omitzero"` // active, won, lost
	PipelineID     *string `json:"pipeline_id"`
	Value          *int64  `json:"value"`                 // cents
	ValuePeriod    string  `json:"value_period,omitzero"` // one_time, monthly, annual
	ValueCurrency  string  `json:"value_currency,omitzero"`
	Confidence     *int    `json:"confidence"` // 0 to 100
	DateWon        *string `json:"date_won"`   // 2026-11-03; filled by Close, not cleared by it
	DateLost       Time    `json:"date_lost"`
	Note           *string `json:"note"`
	NoteHTML       *string `json:"note_html"`
	CreatedBy      *string `json:"created_by"`
	UpdatedBy      *string `json:"updated_by"`
	DateCreated    Time    `json:"date_created,omitzero"`
	DateUpdated    Time    `json:"date_updated,omitzero"`
	Extra          Extra   `json:",embed"`
}

// OpportunityFields are what an opportunity may be created with.
type OpportunityFields struct {
	ContactID   string `json:"contact_id,omitzero"`
	UserID      string `json:"user_id,omitzero"`     // default: the key's user
	PipelineID  string `json:"pipeline_id,omitzero"` // picks its first status; must fit StatusID
	StatusID    string `json:"status_id,omitzero"`
	Value       *int64 `json:"value,omitzero"` // cents
	ValuePeriod string `json:"value_period,omitzero"`
	Confidence  *int   `json:"confidence,omitzero"`
	DateWon     string `json:"date_won,omitzero"`
	Note        string `json:"note,omitzero"`
	NoteHTML    string `json:"note_html,omitzero"` // wins over Note
	Extra       Extra  `json:",embed"`             // custom fields
}

// OpportunityService reads and writes opportunities.
type OpportunityService struct{ c *Client }

// Opportunities returns the service of opportunities.
func (c *Client) Opportunities() OpportunityService { return OpportunityService{c} }

// Get reads one opportunity.
// Source: developer.close.com/api/resources/opportunities/retrieve.
func (s OpportunityService) Get(ctx context.Context, id string, fields ...string) (*Opportunity, error) {
	return getRecord[Opportunity](ctx, s.c, "opportunity", id, fields)
}

// Create makes an opportunity of a lead; an empty lead id is [ErrNoLead].
// Source: developer.close.com/api/resources/opportunities/create.
func (s OpportunityService) Create(ctx context.Context, leadID string, f OpportunityFields) (*Opportunity, error) {
	return create[Opportunity](ctx, s.c, "opportunity", struct {
		LeadID string `json:"lead_id"`
		OpportunityFields
	}{leadID, f})
}

// Update changes the named fields. A status has side effects (date_won,
// confidence), which the answer shows.
// Source: developer.close.com/api/resources/opportunities/update.
func (s OpportunityService) Update(ctx context.Context, id string, ch Changes) (*Opportunity, error) {
	return update[Opportunity](ctx, s.c, "opportunity", id, ch)
}

// Delete removes an opportunity for good.
// Source: developer.close.com/api/resources/opportunities/delete.
func (s OpportunityService) Delete(ctx context.Context, id string) error {
	return s.c.DeleteRaw(ctx, "opportunity", id)
}

// Since walks all opportunities changed since t, oldest change first. The
// zero time walks all.
// Source: developer.close.com/api/resources/opportunities/list.
func (s OpportunityService) Since(ctx context.Context, t time.Time) iter.Seq2[*Opportunity, error] {
	return typedRecords[Opportunity](s.c.OpportunityRecords(ctx, OpportunityWalk{From: t}))
}
