package mapping

import "time"

// Remote is one reading of a record of Close.
type Remote struct {
	Type    string
	ID      string
	Version time.Time // date_updated, UTC; zero when the reading does not say
	Created time.Time // date_created
	Record  Record    // only mapped fields
	Nested  []Remote  // contacts and opportunities inside a lead
	Raw     []byte    // the JSON it was read from; not retained for nested ones
	Invalid map[string]string // fields whose value has an impossible type, with the reason (fault A15)
}
