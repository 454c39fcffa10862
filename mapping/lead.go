package mapping

func lead() *Object {
	return &Object{
		Type: "lead", Prefix: "lead_", Table: Table{"crm", "leads"},
		Fields: []Field{
			{Close: "name", Column: "name"},
			{Close: "description", Column: "description"},
			{Close: "url", Column: "url"},
			{Close: "status_id", Column: "status_id", Filled: true},
			{Close: "status_label", Column: "status_label", ReadOnly: true},
			{Close: "addresses", Column: "addresses", Kind: List, Identity: []string{"label", "address_1", "address_2", "city", "state", "zipcode", "country"}},
			{Close: "display_name", Column: "display_name", ReadOnly: true},
			{Close: "html_url", Column: "html_url", ReadOnly: true},
			{Close: "created_by", Column: "created_by", ReadOnly: true},
			{Close: "updated_by", Column: "updated_by", ReadOnly: true},
			{Close: "date_created", Column: "date_created", Kind: Timestamp, ReadOnly: true},
			{Close: "date_updated", Column: "date_updated", Kind: Timestamp, ReadOnly: true},
		},
	}
}
