// Package closetest imitates Close: a stateful http.Handler with records, an
// event log, searches, webhooks, rate limits and faults on demand.
//
// It is meant for anybody's tests and is what `closesync sandbox` serves. All
// of its behaviour follows what Close documents or what recorded answers show;
// where both are silent, an Option chooses. Nothing in it reads a clock or a
// random source but those in Options, so one seed and one sequence of calls
// give one history.
//
//	srv := closetest.New(closetest.Options{Seed: 1, Leads: 10})
//	base := srv.Start(t) // http://127.0.0.1:port/api/v1/
//	// call base with Basic auth: srv.Key() as user, empty password
//
// # Control API
//
// With Options.Control, JSON calls under /_control/ let programs in any
// language act as a person in the app and steer the imitation. They need no
// key, so serve them on a loopback address only.
//
//	curl -d '{"object_type":"lead","fields":{"name":"A"}}' http://…/_control/create
//
// GET /_control/ lists all calls with what they take; so does [ControlCalls].
//
// Durations inside a Fault or Limits ("delay", "window", "grace") are whole
// nanoseconds; those of clock and latency are texts such as "5m".
//
// Every action takes an optional "user_id" or "api_key_id" naming who acts.
package closetest
