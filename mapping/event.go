package mapping

import (
	"time"
)

// Presence says what an event or answer says about one of its keys.
type Presence uint8

// The presences. Close leaves data out of old events for keys that are not an
// admin's (fault A31); null is what it writes on a delete.
const (
	Missing Presence = iota
	IsNull
	Present
)

// Event is one entry of Close's event log or of a webhook delivery.
type Event struct {
	ID             string
	OrganizationID string
	ObjectType     string
	ObjectID       string
	LeadID         string // "" when null
	Action         string // "created", "updated", "deleted", "merged", …
	APIKeyID       string // "" when a person did it
	UserID         string
	RequestID      string
	ChangedFields  []string
	Data           []byte // raw object after the change; nil unless DataState is Present
	DataState      Presence
	Previous       []byte // raw old values of the changed fields; nil if none
	PreviousState  Presence
	MergeSource    string // lead that a merge ended
	MergeInto      string // lead that lives on
	BulkActionID   string
	Created        time.Time
	Updated        time.Time // with ID the identity of an event: an ID may return with new content
}

// DecodeEvent reads an event. Unknown types and actions are fine (B18); an
// event without id, object_type, object_id or action, or with one of them
// twice, is a *DecodeError. Data and Previous share raw's memory.
func DecodeEvent(raw []byte) (Event, error) {
	var e Event
	if err := validObject(raw); err != nil {
		return e, err
	}
	texts := map[string]*string{
		"id": &e.ID, "organization_id": &e.OrganizationID, "object_type": &e.ObjectType,
		"object_id": &e.ObjectID, "lead_id": &e.LeadID, "action": &e.Action,
		"api_key_id": &e.APIKeyID, "user_id": &e.UserID, "request_id": &e.RequestID,
	}
	times := map[string]*time.Time{"date_created": &e.Created, "date_updated": &e.Updated}
	for key, value := range pairs(raw[skipSpace(raw, 0):]) {
		name := keyName(key)
		if err := e.take(name, value, texts, times); err != nil {
			return Event{}, &DecodeError{"/" + name, int64(cap(raw) - cap(value)), err.Error()}
		}
	}
	for _, name := range []string{"id", "object_type", "object_id", "action"} {
		if *texts[name] == "" {
			return Event{}, &DecodeError{"/" + name, 0, "the event has no " + name}
		}
	}
	return e, nil
}

func (e *Event) take(name string, value []byte, texts map[string]*string, times map[string]*time.Time) error {
	if to, ok := texts[name]; ok {
		return takeText(value, to)
	}
	if to, ok := times[name]; ok {
		return takeMoment(value, to)
	}
	switch name {
	case "data":
		return takeObject(value, &e.Data, &e.DataState)
	case "previous_data":
		return takeObject(value, &e.Previous, &e.PreviousState)
	case "changed_fields":
		return takeTexts(value, &e.ChangedFields)
	case "meta":
		return e.takeMeta(value)
	}
	return nil
}

func (e *Event) takeMeta(value []byte) error {
	if value[0] != '{' {
		return nil
	}
	for key, v := range pairs(value) {
		var err error
		switch keyName(key) {
		case "merge_source_lead_id":
			err = takeText(v, &e.MergeSource)
		case "merge_destination_lead_id":
			err = takeText(v, &e.MergeInto)
		case "bulk_action_id":
			err = takeText(v, &e.BulkActionID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func takeText(value []byte, to *string) error {
	if value[0] == 'n' {
		return nil
	}
	text, ok := textOf(value)
	if !ok {
		return mismatch("text", value)
	}
	if *to != "" {
		return errTwice
	}
	*to = text
	return nil
}

func takeMoment(value []byte, to *time.Time) error {
	var text string
	if err := takeText(value, &text); err != nil || text == "" {
		return err
	}
	t, err := ParseTime(text)
	if err == nil && !to.IsZero() {
		err = errTwice
	}
	*to = t
	return err
}

func takeTexts(value []byte, to *[]string) error {
	if value[0] == 'n' {
		return nil
	}
	if value[0] != '[' {
		return mismatch("a list", value)
	}
	for item := range items(value) {
		var text string
		if err := takeText(item, &text); err != nil {
			return err
		}
		*to = append(*to, text)
	}
	return nil
}

func takeObject(value []byte, to *[]byte, state *Presence) error {
	if *state != Missing {
		return errTwice
	}
	switch value[0] {
	case '{':
		*to, *state = value, Present
	case 'n':
		*state = IsNull
	default:
		return mismatch("an object", value)
	}
	return nil
}
