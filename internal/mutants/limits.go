package main

// limits are bugs with Close's limits and with records that cannot be worked.
var limits = []Mutant{
	{N: 28, Bug: "429 is a failure and parks the record", Why: "a limit is no refusal of what is sent", Package: "./internal/harness", Run: "TestFault_A1_",
		Edits: []Edit{{"sync/engine/send.go", "case \"limited\", \"unauthorized\":", "case \"unauthorized\":"}}},
	{N: 30, Bug: "a poison record blocks its batch", Why: "a batch that Postgres refuses is not taken apart", Package: "./internal/harness", Run: "TestFault_D10_",
		Edits: []Edit{{"sync/engine/isolate.go", "case !ok:\n\t\treturn err", "case !ok || b.size() > 1:\n\t\treturn err"}}},
	{N: 33, Bug: "a dead cursor begins again from zero, for ever", Why: "what is read again dies at the same place", Package: "./sync/remote", Run: "TestFault_A22_|TestSearch",
		Edits: []Edit{{"sync/remote/search.go", "errors.Is(err, closeapi.ErrSkipTooLarge)) {\n\t\t\tat, first, read, err = place{}, time.Time{}, 0, s.split(ctx, first)", "errors.Is(err, closeapi.ErrSkipTooLarge)) {\n\t\t\tat, first, read, err = place{}, time.Time{}, 0, ctx.Err()"}}},
	{N: 34, Bug: "the cap of 10,000 hits is taken for the end", Why: "the rest of one moment is never read", Package: "./internal/harness", Run: "TestFault_A23_More",
		Edits: []Edit{{"sync/remote/search.go", "case read < closeapi.SearchChainLimit:", "case read >= 0:"}}},
}
