package main

// safety are bugs of what keeps people's data from harm.
var safety = []Mutant{
	{N: 9, Bug: "absent from a search counts as deleted", Why: "the audit tells of a delete instead of asking for the record", Package: "./internal/harness", Run: "TestFault_A27_",
		Edits: []Edit{{"sync/engine/audit.go", "return e.Local.Mark(ctx, objectType, missing, Cause{\"source\": \"audit\"}, 0)", "var gone []Event\n\tfor _, id := range missing {\n\t\tgone = append(gone, Event{ID: \"absent_\" + id, Updated: started, ObjectType: objectType, ObjectID: id, Action: \"deleted\",\n\t\t\tBody: []byte(`{\"id\":\"absent_` + id + `\",\"object_type\":\"` + objectType + `\",\"object_id\":\"` + id + `\",\"action\":\"deleted\",\"date_updated\":\"2020-01-01T00:00:00.000000\",\"date_created\":\"2020-01-01T00:00:00.000000\"}`)})\n\t}\n\t_, err = e.Local.Accept(ctx, \"audit\", gone)\n\treturn err"}}},
	{N: 23, Bug: "a TRUNCATE deletes in Close", Why: "missing rows are marked as if each had been deleted by a user", Package: "./internal/harness", Run: "TestFault_C18_",
		Edits: []Edit{{"sync/store/outbox.go", "if err := s.forgetRows(ctx, tx, h.ObjectType); err != nil {", "if _, err := tx.Exec(ctx, `INSERT INTO closesync.dirty (record_id, connection, local_at)\n\t\t\t\tSELECT id, connection, closesync.clock() FROM closesync.records WHERE connection = $1 AND object_type = $2 AND local_key IS NOT NULL\n\t\t\t\tON CONFLICT DO NOTHING`, s.id, h.ObjectType); err != nil {"}}},
	{N: 29, Bug: "any origin that is not NULL hides a change", Why: "after a transaction the setting reads '' in the same session", Package: "./internal/harness", Run: "TestFault_C30_",
		Edits: []Edit{{"sync/store/triggers.go", "current_setting('closesync.origin', true) IS NOT DISTINCT FROM %s)", "current_setting('closesync.origin', true) IS NOT NULL AND %s IS NOT NULL)"}}},
	{N: 37, Bug: "a copy of the database is not noticed", Why: "two workers would write for one organization", Package: "./internal/harness", Run: "TestFault_C6_",
		Edits: []Edit{{"sync/store/binding.go", "if deref(system) != deref(nowSystem) || deref(database) != deref(nowDatabase) {", "if deref(system) == \"\" && deref(nowSystem) == \"\" && deref(database) != deref(nowDatabase) {"}}},
}

// absent are bugs that this design has no place for.
var absent = []Mutant{
	{N: 4, Bug: "values are replayed in the order of transactions", None: "the outbox holds no values: a hint names a row, whose present state is read"},
	{N: 25, Bug: "the canonical form of phones changes when taken twice", None: "phones have no form of ours: Close's answer is kept as it is and compared by its items' identity"},
	{N: 35, Bug: "two workers refresh one OAuth token", None: "there is no OAuth: the only credential is an API key"},
}
