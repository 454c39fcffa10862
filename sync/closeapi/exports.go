package closeapi

import "context"

// LeadExport asks for a file of leads. The file is a snapshot of an unstated
// moment: take an event watermark before asking (inferred).
// Source: developer.close.com/api/resources/exports.
type LeadExport struct {
	Format        string   `json:"format"` // json, csv
	Type          string   `json:"type"`   // leads, contacts, lead_opps
	Query         Node     `json:"s_query,omitzero"`
	Fields        []string `json:"fields,omitzero"`
	ResultsLimit  int      `json:"results_limit,omitzero"`
	SendDoneEmail bool     `json:"send_done_email"`
}

// Export is the state of an export.
type Export struct {
	ID          string `json:"id"`
	Status      string `json:"status"` // created, started, in_progress, done, error
	DownloadURL string `json:"download_url,omitzero"`
	Extra       Extra  `json:",embed"`
}

// ExportLeads starts an export. Source: developer.close.com/api/resources/exports.
func (c *Client) ExportLeads(ctx context.Context, e LeadExport) (*Export, error) {
	return create[Export](ctx, c, "export/lead", e)
}

// ExportOpportunities starts an export; params are filters of the list.
// Source: developer.close.com/api/resources/exports.
func (c *Client) ExportOpportunities(ctx context.Context, format string, params map[string]any) (*Export, error) {
	return create[Export](ctx, c, "export/opportunity", map[string]any{
		"format": format, "params": params, "send_done_email": false,
	})
}

// Export reads the state; DownloadURL is set once Status is done.
func (c *Client) Export(ctx context.Context, id string) (*Export, error) {
	return getRecord[Export](ctx, c, "export", id, nil)
}
