package main

// merging are bugs of the decision itself.
var merging = []Mutant{
	{N: 10, Bug: "hidden counts as deleted", Why: "a role of Close's may hide what is still there", Package: "./internal/harness", Run: "TestFault_A36_|TestFault_S30_",
		Edits: []Edit{{"sync/remote/fetch.go", "return engine.Reading{Gone: all, Hidden: !all, Fresh: true}", "return engine.Reading{Gone: all || !all, Fresh: true}"}}},
	{N: 16, Bug: "a list is written whole", Why: "items that the other side added are lost", Package: "./sync/reconcile", Run: "TestMerge|TestLaws",
		Edits: []Edit{{"sync/reconcile/field.go", "return v.mergeSets()\n", "return v.push(ReasonListMerge)\n"}}},
	{N: 18, Bug: "a merge counts as a plain delete", Why: "children and references of the source are lost", Package: "./internal/harness", Run: "TestFault_S9_",
		Edits: []Edit{
			{"sync/engine/decide.go", "return Reading{Gone: true, Into: ev.MergeInto, Cause", "return Reading{Gone: true, Cause"},
			{"sync/remote/fetch.go", "return ev.MergeInto", "return \"\""},
		}},
	{N: 20, Bug: "an older reading is applied", Why: "a replica that lags takes back what was seen", Package: "./internal/harness", Run: "TestFault_A28_",
		Edits: []Edit{{"sync/engine/decide.go", "if remote.Version.Before(st.Version) {", "if remote.Version.Before(time.Time{}) {"}}},
	{N: 21, Bug: "the later clock wins, whatever the policy", Why: "clocks of two machines decide about people's edits", Package: "./internal/harness", Run: "TestFault_S2_",
		Edits: []Edit{{"sync/reconcile/field.go", "v.byPolicy(m.o.FieldPolicy(f), m.localIsNewer())", "v.byPolicy(mapping.PolicyNewest, m.localIsNewer())"}}},
	{N: 22, Bug: "a delete made here always loses", Why: "the row comes back though nobody edited the record", Package: "./sync/reconcile", Run: "TestMerge|TestLaws",
		Edits: []Edit{{"sync/reconcile/record.go", "case m.in.Refill:\n\t\tm.insert(ReasonRefilled)", "case m.in.Refill || m.in.Remote.Exists:\n\t\tm.insert(ReasonRefilled)"}}},
	{N: 24, Bug: "a custom field that was removed empties its column", Why: "its absence from a reading is taken for emptiness", Package: "./internal/harness", Run: "TestFault_S22_",
		Edits: []Edit{{"sync/engine/decide.go", "paused, sure := r.resting(st)\n", "paused, sure := map[string]bool{}, true\n"}}},
	{N: 39, Bug: "the alias of a merged lead is not kept", Why: "what waits for the old id does not reach the new lead", Package: "./internal/harness", Run: "TestFault_S9_|TestFault_S10_",
		Edits: []Edit{{"sync/engine/decide.go", "out.AliasOf, out.Move = rd.Into, rd.Into", "out.Move = rd.Into"}}},
}
