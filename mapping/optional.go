package mapping

// optional lists fields of Close that no default table has but that a user's
// mapping may name. All are read-only (close-api.md §4.1 to §4.3).
func optional(objectType string) []Field {
	text := func(names ...string) []Field {
		fs := make([]Field, 0, len(names))
		for _, n := range names {
			fs = append(fs, Field{Close: n, ReadOnly: true})
		}
		return fs
	}
	fs := text("organization_id", "created_by_name", "updated_by_name")
	switch objectType {
	case "contact":
		fs = append(fs, text("timezone", "timezone_source")...)
	case "opportunity":
		fs = append(fs, text("lead_name", "contact_name", "user_name", "pipeline_name",
			"status_display_name", "value_formatted", "note_html")...)
		for _, n := range []string{"expected_value", "annualized_value", "annualized_expected_value"} {
			fs = append(fs, Field{Close: n, Kind: Integer, ReadOnly: true})
		}
	}
	return append(fs, Field{Close: "integration_links", Kind: JSON, ReadOnly: true})
}
