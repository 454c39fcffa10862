package mapping

func opportunity() *Object {
	return &Object{
		Type: "opportunity", Prefix: "oppo_", Nested: "opportunities", Listed: true, Table: Table{"crm", "opportunities"},
		Fields: []Field{
			{Close: "lead_id", Column: "lead_id", Kind: Reference, Parent: "lead", Required: true},
			{Close: "contact_id", Column: "contact_id", Kind: Reference, Parent: "contact"},
			{Close: "user_id", Column: "user_id", Chosen: true},
			{Close: "status_id", Column: "status_id", Filled: true},
			{Close: "status_label", Column: "status_label", ReadOnly: true},
			{Close: "status_type", Column: "status_type", ReadOnly: true},
			{Close: "pipeline_id", Column: "pipeline_id", ReadOnly: true},
			{Close: "value", Column: "value", Kind: Integer},
			{Close: "value_currency", Column: "value_currency", ReadOnly: true},
			{Close: "value_period", Column: "value_period", Filled: true},
			{Close: "confidence", Column: "confidence", Kind: Integer, Filled: true},
			{Close: "note", Column: "note"},
			{Close: "date_won", Column: "date_won", Kind: Date},
			{Close: "date_lost", Column: "date_lost", Kind: Timestamp, ReadOnly: true},
			{Close: "created_by", Column: "created_by", ReadOnly: true},
			{Close: "updated_by", Column: "updated_by", ReadOnly: true},
			{Close: "date_created", Column: "date_created", Kind: Timestamp, ReadOnly: true},
			{Close: "date_updated", Column: "date_updated", Kind: Timestamp, ReadOnly: true},
		},
	}
}
