// Package closeapi is a client of the Close CRM API (developer.close.com).
//
// It gives three levels, from raw to typed, which may be mixed:
//
//   - [Client.Do] sends one call and answers bytes; [Client.GetRaw],
//     [Client.CreateRaw], [Client.UpdateRaw] and [Client.DeleteRaw] know
//     where records live and that an answer must be one JSON object.
//   - [Client.Search], [Client.Events] and the List methods fetch one page.
//   - The services ([Client.Leads], [Client.Contacts] and their neighbours)
//     speak typed structs, which keep fields they do not know, and iterators,
//     which hide paging.
//
// # Limits
//
// Close counts requests per endpoint group and tells the state in a RateLimit
// header. Each group has a gate here: nothing is sent while it is closed, the
// other groups go on, and calls marked [Interactive] go before [Background]
// ones. As long as Close sends no such header, nothing is slowed down.
//
// # Retries
//
// Reads (GET and search) are repeated after a 429, a lost connection, a 5xx
// and an answer that is cut short or is no JSON. Writes are repeated only if
// Close has provably not acted on them: after a 429 and when no connection
// came about. Every other failure of a write is an [*UnknownOutcomeError],
// because Close has no idempotency key and a repeated POST makes a second
// record: the caller must look before it tries again. The end of a context
// therefore keeps a write from being sent, but does not cut one that was: that
// ends with its answer or by [Options].Timeout.
//
// # Errors
//
// Match with errors.Is against [ErrUnauthorized], [ErrPlanLimit],
// [ErrForbidden] and [ErrNotFound], and with errors.As against [*Error],
// [*RateLimitError], [*UnknownOutcomeError], [*TransportError] and
// [*ResponseError]. No error holds the API key, and none holds contents of
// records beyond what Close itself says in its message.
//
// A [Client] may be used by many goroutines at once.
//
// Facts about Close were gathered from its public documentation and from
// recorded answers in 2026; a comment says "inferred" where Close does not
// state it.
package closeapi
