package mapping

func contact() *Object {
	return &Object{
		Type: "contact", Prefix: "cont_", Nested: "contacts", Table: Table{"crm", "contacts"},
		Fields: []Field{
			{Close: "lead_id", Column: "lead_id", Kind: Reference, Parent: "lead", Required: true},
			{Close: "name", Column: "name"},
			{Close: "title", Column: "title"},
			{Close: "emails", Column: "emails", Kind: List, Identity: []string{"email", "type"}},
			{Close: "phones", Column: "phones", Kind: List, Identity: []string{"phone", "type"}},
			{Close: "urls", Column: "urls", Kind: List, Identity: []string{"url", "type"}},
			{Close: "display_name", Column: "display_name", ReadOnly: true},
			{Close: "created_by", Column: "created_by", ReadOnly: true},
			{Close: "updated_by", Column: "updated_by", ReadOnly: true},
			{Close: "date_created", Column: "date_created", Kind: Timestamp, ReadOnly: true},
			{Close: "date_updated", Column: "date_updated", Kind: Timestamp, ReadOnly: true},
		},
	}
}
