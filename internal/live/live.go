// Package live holds the tests of the real binary: processes that are started,
// asked over HTTP and SQL, and killed. It has no code of its own.
package live
