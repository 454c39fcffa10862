package closeapi

import "context"

// Organization is what a key belongs to. Its opportunity statuses are
// deprecated; take them from Pipelines.
type Organization struct {
	ID                  string       `json:"id"`
	Name                string       `json:"name"`
	Currency            string       `json:"currency,omitzero"`
	LeadStatuses        []LeadStatus `json:"lead_statuses,omitzero"`
	Pipelines           []Pipeline   `json:"pipelines,omitzero"`
	Memberships         []Membership `json:"memberships,omitzero"`
	InactiveMemberships []Membership `json:"inactive_memberships,omitzero"`
	Extra               Extra        `json:",embed"`
}

// LeadStatus is a status a lead can have. Labels may repeat; key by ID.
type LeadStatus struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Extra Extra  `json:",embed"`
}

// Pipeline holds the statuses of opportunities in order.
type Pipeline struct {
	ID          string              `json:"id"`
	Name        string              `json:"name"`
	Statuses    []OpportunityStatus `json:"statuses"`
	DateCreated Time                `json:"date_created,omitzero"`
	DateUpdated Time                `json:"date_updated,omitzero"`
	Extra       Extra               `json:",embed"`
}

// Organization reads one organization with its members, also former ones.
// Source: developer.close.com/api/resources/organizations.
func (c *Client) Organization(ctx context.Context, id string, fields ...string) (*Organization, error) {
	return getRecord[Organization](ctx, c, "organization", id, fields)
}
