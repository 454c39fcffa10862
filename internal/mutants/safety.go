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

// kin are bugs that this design has no place for in their first form: the
// outbox holds no values, phones have no form of ours, there is no OAuth. What
// comes nearest stands in.
var kin = []Mutant{
	{N: 4, Bug: "values are replayed in the order of their arrival", Why: "events are taken by their content, whatever lies between them and the base", Package: "./internal/harness", Run: "TestFault_B3_",
		Edits: []Edit{
			{"sync/engine/chain.go", "func(a, b heard) int { return a.Updated.Compare(b.Updated) }", "func(_, _ heard) int { return 0 }"},
			{"sync/engine/chain.go", "if base != nil && (remote", "if base != nil && st.ID < 0 && (remote"},
			{"sync/engine/chain.go", "case gap:\n\t\t\treturn last, events[i:], false\n\t\tcase breach:\n\t\t\treturn last, nil, false", "case gap, breach:\n\t\t\tif base == nil {\n\t\t\t\treturn last, events[i:], false\n\t\t\t}"},
			{"sync/engine/decide.go", "if remote.Version.Before(st.Version) {", "if remote.Version.Before(time.Time{}) {"},
		}},
	{N: 25, Bug: "a canonical form changes when it is taken twice", Why: "a text loses a blank at its end each time", Package: "./mapping", Run: "TestCanon",
		Edits: []Edit{{"mapping/text.go", "\treturn ascii || utf8.Valid(src)", "\treturn (ascii || utf8.Valid(src)) && !bytes.HasSuffix(src, []byte(\" \\\"\"))"},
			{"mapping/text.go", "\treturn appendQuoted(dst, text)", "\treturn appendQuoted(dst, bytes.TrimSuffix(text, []byte(\" \")))"}}},
	{N: 35, Bug: "two workers keep one subscription at once", Why: "both find it gone and make one, with a key of its own", Package: "./cmd/closesync", Run: "TestFault_B23_",
		Edits: []Edit{{"cmd/closesync/subscription.go", "SELECT pg_try_advisory_lock($1, $2)", "SELECT $1::int + $2::int <> 0"}}},
}
