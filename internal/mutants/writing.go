package main

// writing are bugs on the way to Close.
var writing = []Mutant{
	{N: 11, Bug: "404 on an update counts as deleted", Why: "the record may be hidden or merged", Package: "./internal/harness", Run: "TestFault_A36_",
		Edits: []Edit{{"sync/engine/send.go", "if call.Class == \"missing\" && in.Action == reconcile.Delete {", "if call.Class == \"missing\" && in.Action != reconcile.Create {\n\t\t\tin.Action = reconcile.Delete"}}},
	{N: 12, Bug: "a POST without an answer is repeated blindly", Why: "the first may have taken effect", Package: "./sync/closeapi", Run: "TestFault_S16_|TestFault_A6_",
		Edits: []Edit{
			{"sync/closeapi/do.go", "return k.read || !e.Sent", "return k.read || !e.Sent || e.Sent"},
			{"sync/closeapi/do.go", "return k.read && e.Status >= 500", "return e.Status >= 500"},
		}},
	{N: 13, Bug: "the intent of a create is not stored before it is sent", Why: "after a crash nobody knows that it was", Package: "./internal/harness", Run: "TestFault_S17_",
		Edits: []Edit{{"sync/store/intents.go", "if in == nil {", "if in == nil || in.Action == reconcile.Create {"}}},
	{N: 14, Bug: "the base is what was asked for, not what Close answered", Why: "Close's form of it would count as an edit there", Package: "./internal/harness", Run: "TestFault_S15_",
		Edits: []Edit{
			{"sync/engine/send.go", "in.Sent, now.Local.Record, answer.Record)\n\tside", "in.Sent, now.Local.Record, in.Sent)\n\tside"},
			{"sync/engine/send.go", "side := reconcile.Side{Exists: true, Record: answer.Record,", "side := reconcile.Side{Exists: true, Record: in.Sent,"},
		}},
	{N: 15, Bug: "an update sends the whole record", Why: "it overwrites fields that somebody edited meanwhile", Package: "./internal/harness", Run: "TestFault_S1_",
		Edits: []Edit{{"sync/engine/decide.go", "sent := out.Plan.RemoteSet\n", "sent := out.Plan.RemoteSet\n\tif out.Plan.Remote == reconcile.Update {\n\t\tfor name, v := range st.Local.Record {\n\t\t\tif f, ok := o.Field(name); ok && !f.ReadOnly && !v.IsNull() {\n\t\t\t\tsent[name] = v\n\t\t\t}\n\t\t}\n\t}\n"}}},
	{N: 17, Bug: "a child is sent without its parent's id", Why: "Close would make up a lead for it", Package: "./sync/reconcile", Run: "TestMerge|TestReasons",
		Edits: []Edit{
			{"sync/reconcile/record.go", "ready = m.waits(f, ReasonWaitParent)", "m.reason(f.Close, ReasonWaitParent)"},
			{"sync/reconcile/record.go", "ready = m.waits(f, ReasonNoParent)", "m.reason(f.Close, ReasonNoParent)"},
		}},
	{N: 27, Bug: "leases without fencing", Why: "a worker that slept through its lease writes its result", Package: "./internal/harness", Run: "TestFault_D5_",
		Edits: []Edit{{"sync/store/dirty.go", "ON d.record_id = v.id AND d.fence = v.fence\n\t\tORDER BY", "ON d.record_id = v.id\n\t\tORDER BY"}}},
	{N: 36, Bug: "Close is asked while a transaction is open", Why: "rows stay locked as long as Close takes to answer", Package: "./internal/sim", Run: "TestSim$",
		Edits: []Edit{{"sync/engine/cycle.go", "r.present = now\n", "r.present = now\n\t\t\tfor _, st := range states {\n\t\t\t\tif st.CloseID != \"\" {\n\t\t\t\t\tr.readings[st.ID] = r.Remote.Fetch(ctx, st.Type, st.CloseID)\n\t\t\t\t}\n\t\t\t}\n"}}},
	{N: 38, Bug: "what Close fills by itself stays out of row and base", Why: "only sent fields are taken from the answer, whose hash says that all was", Package: "./internal/harness", Run: "TestFault_S27_",
		Edits: []Edit{{"sync/engine/send.go", "side := reconcile.Side{Exists: true, Record: answer.Record,", "side := reconcile.Side{Exists: true, Record: seen(in.Sent, answer.Record),"}}},
}
