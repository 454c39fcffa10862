package closeapi

import (
	"context"
	"iter"
)

// Contact is a person of exactly one lead.
// Source: developer.close.com/api/resources/contacts.
type Contact struct {
	ID             string         `json:"id"`
	OrganizationID string         `json:"organization_id,omitzero"`
	LeadID         *string        `json:"lead_id"`
	Name           *string        `json:"name"`
	DisplayName    string         `json:"display_name,omitzero"`
	Title          *string        `json:"title"`
	Emails         []ContactEmail `json:"emails,omitzero"`
	Phones         []ContactPhone `json:"phones,omitzero"`
	URLs           []ContactURL   `json:"urls,omitzero"`
	CreatedBy      *string        `json:"created_by"`
	UpdatedBy      *string        `json:"updated_by"`
	DateCreated    Time           `json:"date_created,omitzero"`
	DateUpdated    Time           `json:"date_updated,omitzero"`
	Extra          Extra          `json:",embed"`
}

// ContactEmail has no id: a PUT of emails replaces them all.
type ContactEmail struct {
	Email string `json:"email"`
	Type  string `json:"type,omitzero"`
	Extra Extra  `json:",embed"`
}

// ContactPhone is normalised by Close, so that it reads differently from what
// was written.
type ContactPhone struct {
	Phone string `json:"phone"`
	Type  string `json:"type,omitzero"`
	Extra Extra  `json:",embed"`
}

// ContactURL is a web address.
type ContactURL struct {
	URL   string `json:"url"`
	Type  string `json:"type,omitzero"`
	Extra Extra  `json:",embed"`
}

// ContactFields are what a contact may be created with.
type ContactFields struct {
	Name   string         `json:"name,omitzero"`
	Title  string         `json:"title,omitzero"`
	Emails []ContactEmail `json:"emails,omitzero"`
	Phones []ContactPhone `json:"phones,omitzero"`
	URLs   []ContactURL   `json:"urls,omitzero"`
	Extra  Extra          `json:",embed"` // custom fields
}

// ContactService reads and writes contacts.
type ContactService struct{ c *Client }

// Contacts returns the service of contacts.
func (c *Client) Contacts() ContactService { return ContactService{c} }

// Get reads one contact.
// Source: developer.close.com/api/resources/contacts/retrieve.
func (s ContactService) Get(ctx context.Context, id string, fields ...string) (*Contact, error) {
	return getRecord[Contact](ctx, s.c, "contact", id, fields)
}

// Create makes a contact of a lead; an empty lead id is [ErrNoLead].
// Source: developer.close.com/api/resources/contacts/create.
func (s ContactService) Create(ctx context.Context, leadID string, f ContactFields) (*Contact, error) {
	return create[Contact](ctx, s.c, "contact", struct {
		LeadID string `json:"lead_id"`
		ContactFields
	}{leadID, f})
}

// Update changes the named fields.
// Source: developer.close.com/api/resources/contacts/update.
func (s ContactService) Update(ctx context.Context, id string, ch Changes) (*Contact, error) {
	return update[Contact](ctx, s.c, "contact", id, ch)
}

// Delete removes a contact for good.
// Source: developer.close.com/api/resources/contacts/delete.
func (s ContactService) Delete(ctx context.Context, id string) error {
	return s.c.DeleteRaw(ctx, "contact", id)
}

// OfLead walks the contacts of one lead.
// Source: developer.close.com/api/resources/contacts/list.
func (s ContactService) OfLead(ctx context.Context, leadID string) iter.Seq2[*Contact, error] {
	return all[Contact](ctx, s.c, "contact/", ListOptions{LeadID: leadID, Limit: 200}.query())
}

// All walks all contacts in the order of creation, by search.
// Source: developer.close.com/api/resources/advanced-filtering.
func (s ContactService) All(ctx context.Context, fields ...string) iter.Seq2[*Contact, error] {
	return typedRecords[Contact](s.c.SearchRecords(ctx, SearchWalk{ObjectType: "contact", Field: "date_created", Fields: fields}))
}
