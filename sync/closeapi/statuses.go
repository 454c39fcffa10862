package closeapi

import "context"

// OpportunityStatus is a status an opportunity can have.
type OpportunityStatus struct {
	ID         string `json:"id"`
	Label      string `json:"label"`
	Type       string `json:"type,omitzero"`        // active, won, lost
	StatusType string `json:"status_type,omitzero"` // the other name of Type in the docs
	PipelineID string `json:"pipeline_id,omitzero"`
	Extra      Extra  `json:",embed"`
}

// Kind is active, won or lost, whichever key Close used for it.
func (s OpportunityStatus) Kind() string {
	if s.Type != "" {
		return s.Type
	}
	return s.StatusType
}

// LeadStatuses lists the statuses of leads.
// Source: developer.close.com/api/resources/lead-statuses/list.
func (c *Client) LeadStatuses(ctx context.Context) ([]LeadStatus, error) {
	return whole[LeadStatus](ctx, c, "status/lead/")
}

// OpportunityStatuses lists the statuses of all pipelines; [Client.Pipelines]
// also tells their order.
// Source: developer.close.com/api/resources/opportunity-statuses/list.
func (c *Client) OpportunityStatuses(ctx context.Context) ([]OpportunityStatus, error) {
	return whole[OpportunityStatus](ctx, c, "status/opportunity/")
}

// Pipelines lists the pipelines with their statuses in order.
// Source: developer.close.com/api/resources/pipelines/list.
func (c *Client) Pipelines(ctx context.Context) ([]Pipeline, error) {
	return whole[Pipeline](ctx, c, "pipeline/")
}
