package closeapi

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
