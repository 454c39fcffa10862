package closeapi

import (
	"context"
	"errors"
	"iter"
	"net/http"
)

// Lead is a company with its contacts and opportunities.
// Source: developer.close.com/api/resources/leads.
type Lead struct {
	ID             string        `json:"id"`
	OrganizationID string        `json:"organization_id,omitzero"`
	Name           *string       `json:"name"`
	DisplayName    string        `json:"display_name,omitzero"` // falls back when Name is empty
	Description    *string       `json:"description"`
	URL            *string       `json:"url"`
	StatusID       string        `json:"status_id,omitzero"`
	StatusLabel    string        `json:"status_label,omitzero"`
	Addresses      []Address     `json:"addresses,omitzero"`
	Contacts       []Contact     `json:"contacts,omitzero"`
	Opportunities  []Opportunity `json:"opportunities,omitzero"`
	Tasks          []Task        `json:"tasks,omitzero"` // incomplete ones only
	CreatedBy      *string       `json:"created_by"`
	UpdatedBy      *string       `json:"updated_by"`
	DateCreated    Time          `json:"date_created,omitzero"`
	DateUpdated    Time          `json:"date_updated,omitzero"` // moves for much that is no change of the lead
	Extra          Extra         `json:",embed"`
}

// Address of a lead. A PUT replaces the whole list. Nil parts are left out,
// empty ones are kept.
type Address struct {
	Label    *string `json:"label,omitzero"`
	Address1 *string `json:"address_1,omitzero"`
	Address2 *string `json:"address_2,omitzero"`
	City     *string `json:"city,omitzero"`
	State    *string `json:"state,omitzero"`
	Zipcode  *string `json:"zipcode,omitzero"`
	Country  *string `json:"country,omitzero"`
	Extra    Extra   `json:",embed"`
}

// NewLead is what a lead may be created with. Contacts may come along (Close
// takes them on create only); they need no lead id.
type NewLead struct {
	Name        string          `json:"name,omitzero"`
	Description string          `json:"description,omitzero"`
	URL         string          `json:"url,omitzero"`
	StatusID    string          `json:"status_id,omitzero"`
	Addresses   []Address       `json:"addresses,omitzero"`
	Contacts    []ContactFields `json:"contacts,omitzero"`
	Extra       Extra           `json:",embed"` // custom fields
}

// LeadService reads and writes leads.
type LeadService struct{ c *Client }

// Leads returns the service of leads.
func (c *Client) Leads() LeadService { return LeadService{c} }

// Get reads one lead. Source: developer.close.com/api/resources/leads/retrieve.
func (s LeadService) Get(ctx context.Context, id string, fields ...string) (*Lead, error) {
	return getRecord[Lead](ctx, s.c, "lead", id, fields)
}

// Create makes a lead. Not safe to run twice.
// Source: developer.close.com/api/resources/leads/create.
func (s LeadService) Create(ctx context.Context, n NewLead) (*Lead, error) {
	return create[Lead](ctx, s.c, "lead", n)
}

// Update changes the named fields. Nested contacts are not taken.
// Source: developer.close.com/api/resources/leads/update.
func (s LeadService) Update(ctx context.Context, id string, ch Changes) (*Lead, error) {
	return update[Lead](ctx, s.c, "lead", id, ch)
}

// Delete removes a lead and all that belongs to it, for good.
// Source: developer.close.com/api/resources/leads/delete.
func (s LeadService) Delete(ctx context.Context, id string) error {
	return s.c.DeleteRaw(ctx, "lead", id)
}

// All walks all leads in the order of creation, by search.
// Source: developer.close.com/api/resources/advanced-filtering.
func (s LeadService) All(ctx context.Context, fields ...string) iter.Seq2[*Lead, error] {
	return typedRecords[Lead](s.c.SearchRecords(ctx, SearchWalk{ObjectType: "lead", Field: "date_created", Fields: fields}))
}

// Merge moves everything of source into destination and deletes source. It
// goes on after the answer: source is gone once its deleted event appears.
// Source: developer.close.com/api/resources/leads/merge.
func (s LeadService) Merge(ctx context.Context, source, destination string) error {
	if !isID(source) || !isID(destination) || source == destination {
		return errors.New("closeapi: merge needs two different lead ids")
	}
	body := map[string]string{"source": source, "destination": destination}
	_, err := s.c.Do(ctx, http.MethodPost, "lead/merge/", nil, body)
	return err
}

// typedRecords decodes the records of a walk.
func typedRecords[T any](in iter.Seq2[Record, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for r, err := range in {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if !yield(decodeInto[T](r.Raw)) {
				return
			}
		}
	}
}
