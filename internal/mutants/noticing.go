package main

// noticing are bugs of the receiver, the inbox, the outbox and the readers.
var noticing = []Mutant{
	{N: 1, Bug: "events are told apart by their id alone", Why: "a consolidated event keeps its id and would be dropped", Package: "./internal/harness", Run: "TestFault_B2_",
		Edits: []Edit{
			{"sync/store/inbox.go", "k := eventKey{e.ID, e.Updated.UTC().Truncate(time.Microsecond)}", "k := eventKey{e.ID, time.Unix(0, 0).UTC()}"},
			{"sync/store/inbox.go", "= e.Updated.UTC().Truncate(time.Microsecond), e.Stale, e.Body", "= time.Unix(0, 0).UTC(), e.Stale, e.Body"},
		}},
	{N: 2, Bug: "a mark upon a mark is skipped as a duplicate", Why: "the generation does not count hints, as a unique job alone would not", Package: "./internal/harness", Run: "TestFault_D17_",
		Edits: []Edit{
			{"sync/store/inbox.go", "SET gen = dirty.gen + 1, events", "SET gen = dirty.gen, events"},
			{"sync/store/dirty.go", "SET gen = dirty.gen + 1, refetch", "SET gen = dirty.gen, refetch"},
		}},
	{N: 3, Bug: "the outbox is read by id > last", Why: "what commits late under a low id is passed over", Package: "./internal/harness", Run: "TestFault_C23_",
		Edits: []Edit{
			{"sync/store/outbox.go", "of the transaction that changed the row\n}", "of the transaction that changed the row\n\tID         int64\n}\n\nvar lastRead sync.Map\n\nfunc (s *Store) lastRead() int64 {\n\tif v, ok := lastRead.Load(s.pool); ok {\n\t\treturn v.(int64)\n\t}\n\treturn 0\n}"},
			{"sync/store/outbox.go", `+takenHints+` + "`" + ` ORDER BY id LIMIT $3`, `+takenHints+` + "`" + ` AND id > $4 ORDER BY id LIMIT $3`},
			{"sync/store/outbox.go", "old_row, xid FROM taken ORDER BY id`, s.id, s.onlyUsable(), n)", "old_row, xid, id FROM taken ORDER BY id`, s.id, s.onlyUsable(), n, s.lastRead())"},
			{"sync/store/outbox.go", "count = len(hints)\n", "count = len(hints)\n\t\tlastRead.Store(s.pool, hints[len(hints)-1].ID)\n"},
			{"sync/store/outbox.go", "\t\"fmt\"\n\t\"time\"\n", "\t\"fmt\"\n\t\"sync\"\n\t\"time\"\n"},
		}},
	{N: 5, Bug: "a checkpoint is saved before what it covers", Why: "a crash between the two loses the page", Package: "./internal/harness", Run: "TestFault_D1_APage",
		Edits: []Edit{{"sync/engine/walk.go", "if err := w.apply(ctx, p.Page, cp); err != nil {", "if cp != nil {\n\t\tif err := w.Local.SaveCheckpoint(ctx, *cp); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n\tif err := w.apply(ctx, p.Page, cp); err != nil {"}}},
	{N: 6, Bug: "log and searches are read without overlap", Why: "what the index or log shows late is passed over", Package: "./internal/harness", Run: "TestFault_A27_|TestFault_A29_",
		Edits: []Edit{
			{"sync/engine/follow.go", "cp.Watermark.Add(-eventOverlap)", "cp.Watermark"},
			{"sync/engine/follow.go", "newSegment(cp.Watermark.Add(-searchOverlap), time.Time{})", "newSegment(cp.Watermark, time.Time{})"},
		}},
	{N: 7, Bug: "> instead of >= at the last date seen", Why: "others of the same moment are passed over", Package: "./sync/remote", Run: "TestSearch|TestFault_A2",
		Edits: []Edit{
			{"sync/remote/search.go", "from = closeapi.At(s.window.From)", "from = closeapi.At(s.window.From.Add(instant))"},
			{"sync/remote/search.go", "closeapi.Span{From: s.window.From, Before", "closeapi.Span{From: s.window.From.Add(instant), Before"},
		}},
	{N: 8, Bug: "events of our own key are dropped as echoes", Why: "another program may use the key, and an edit be folded into our event", Package: "./internal/harness", Run: "TestFault_S14_",
		Edits: []Edit{{"sync/remote/events.go", "events = append(events, r.event(ev, rec.Raw))", "if ev.Action == \"updated\" && r.ours(ev) {\n\t\t\t\tcontinue\n\t\t\t}\n\t\t\tevents = append(events, r.event(ev, rec.Raw))"}}},
	{N: 19, Bug: "a mark is removed whatever its generation", Why: "a hint that came during the cycle goes with it", Package: "./internal/harness", Run: "TestFault_D17_",
		Edits: []Edit{{"sync/store/dirty.go", " AND d.gen = v.gen`, done, doneGen)", "`, done, doneGen)"}}},
	{N: 26, Bug: "a delivery is answered before its commit", Why: "a crash after the answer loses it", Package: "./sync/webhook", Run: "TestFault_B8_",
		Edits: []Edit{{"sync/webhook/commit.go", "select {\n\tcase err := <-w.done:\n\t\treturn err\n\tcase <-ctx.Done():\n\t\treturn ctx.Err()\n\t}", "return nil"}}},
	{N: 31, Bug: "a pause of the subscription is mended, its gap not filled", Why: "Close cleared the queue, which only the log still holds", Package: "./sync/remote", Run: "TestFault_B21_",
		Edits: []Edit{{"sync/remote/subscription.go", "if gap, err = s.correct(ctx, ours); err != nil {", "if _, err = s.correct(ctx, ours); err != nil {"}}},
	{N: 32, Bug: "a delivery with an old signature is refused and forgotten", Why: "Close may repeat one for three days under its first signature", Package: "./sync/webhook", Run: "TestFault_B12_",
		Edits: []Edit{{"sync/webhook/receiver.go", "d.Stale = age > r.opts.StaleAfter || age < -futureSkew", "d.Stale = age > r.opts.StaleAfter || age < -futureSkew\n\tif d.Stale {\n\t\treturn Outcome{Status: http.StatusUnauthorized, Reason: \"old\"}\n\t}"}}},
	{N: 40, Bug: "names in JSON match without regard to case", Why: "an id under another spelling decides which record is meant", Package: "./sync/webhook", Run: "TestFault_A18_",
		Edits: []Edit{{"sync/webhook/decode.go", "switch name {\n\t\tcase \"id\":", "switch strings.ToLower(name) {\n\t\tcase \"id\":"}}},
}
