// Package sim runs the worker in small random worlds: the real receiver,
// engine, store and client against a real Postgres and the imitation of Close,
// under one seeded schedule and a virtual clock.
//
// A scenario is a list of steps that a seed makes: edits of people on both
// sides, deliveries, operations of workers, faults, crashes. Every HTTP call,
// SQL statement and commit of a worker is a yield point, where the schedule may
// let it wait, run something else, or kill it. One goroutine decides, so a seed
// gives one trace. When the steps are done everything comes to rest, and the
// invariants of the project are checked against what really happened.
//
// Failing scenarios are shrunk by leaving steps out and printed as a script;
// scripts that once found a fault are kept in testdata/seeds and run for ever.
package sim
