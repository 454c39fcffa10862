package closeapi

import "time"

// Condition is what [Where] asks of a field.
// Source: developer.close.com/api/resources/advanced-filtering.
type Condition interface{ condition() }

func (o object) condition() {}

// RawCondition is a condition given as JSON.
type RawCondition RawMessage

func (RawCondition) condition() {}

// MarshalJSON returns the text itself.
func (r RawCondition) MarshalJSON() ([]byte, error) { return RawMessage(r).MarshalJSON() }

// IsBool is met by a field with that value.
func IsBool(value bool) Condition { return object{{"type", "boolean"}, {"value", value}} }

// IsCurrentUser is met by a user field that holds the key's user.
func IsCurrentUser() Condition { return object{{"type", "current_user"}} }

// Exists is met by a field that is set.
func Exists() Condition { return object{{"type", "exists"}} }

// HasText is met by a text field with the words.
func HasText(value string, mode TextMode) Condition {
	return object{{"type", "text"}, {"value", value}, {"mode", mode}}
}

// IsTerm is met by a choice field with one of the values. It also serves
// status_type.
func IsTerm(values ...string) Condition {
	return object{{"type", "term"}, {"values", list(values)}}
}

// Refers is met by a field that refers to one of the ids. Reference types are
// "user" (documented) and "status.lead" (in use for status_id).
func Refers(referenceType string, ids ...string) Condition {
	return object{{"type", "reference"}, {"reference_type", referenceType}, {"object_ids", list(ids)}}
}

// Bounds of a number; nil means none.
type Bounds struct{ Gt, Gte, Lt, Lte *float64 }

// InRange is met by a number within the bounds.
func InRange(b Bounds) Condition {
	o := object{{"type", "number_range"}}
	for _, m := range []struct {
		name  string
		value *float64
	}{{"gt", b.Gt}, {"gte", b.Gte}, {"lt", b.Lt}, {"lte", b.Lte}} {
		if m.value != nil {
			o = append(o, member{m.name, *m.value})
		}
	}
	return o
}

// InMoments is met by a date from onOrAfter on and before the other; nil
// means no bound. The app sends it, the docs do not name it.
func InMoments(onOrAfter, before Moment) Condition {
	o := object{{"type", "moment_range"}}
	if onOrAfter != nil {
		o = append(o, member{"on_or_after", onOrAfter})
	}
	if before != nil {
		o = append(o, member{"before", before})
	}
	return o
}

// Since is InMoments(At(t), nil), the condition of incremental reading.
func Since(t time.Time) Condition { return InMoments(At(t), nil) }

// Moment is a point in time of a [InMoments] condition. All forms were seen
// in use; the docs name none.
type Moment interface{ moment() }

func (o object) moment() {}

// At is a fixed instant, sent in UTC with microseconds.
func At(t time.Time) Moment {
	return object{{"type", "fixed_utc"}, {"value", t.UTC().Format("2006-01-02T15:04:05.000000+00:00")}}
}

// DayEnd says which end of a day is meant.
type DayEnd string

// Ends of a day.
const (
	StartOfDay DayEnd = "start"
	EndOfDay   DayEnd = "end"
)

// OnDate is one end of a calendar day ("2026-11-03") in the zone of the
// request, which this client sets to UTC.
func OnDate(date string, which DayEnd) Moment {
	return object{{"type", "fixed_local_date"}, {"value", date}, {"which", which}}
}

// AtNow is the time of the request.
func AtNow() Moment { return object{{"type", "now"}} }

// Offset is a span of calendar units.
type Offset struct {
	Years   int `json:"years"`
	Months  int `json:"months"`
	Weeks   int `json:"weeks"`
	Days    int `json:"days"` // large values seem to be refused; use months
	Hours   int `json:"hours"`
	Minutes int `json:"minutes"`
	Seconds int `json:"seconds"`
}

// Past is a moment before another one. An empty which keeps the time of day.
func Past(from Moment, by Offset, which DayEnd) Moment { return shifted("past", from, by, which) }

// Future is a moment after another one.
func Future(from Moment, by Offset, which DayEnd) Moment { return shifted("future", from, by, which) }

func shifted(direction string, from Moment, by Offset, which DayEnd) Moment {
	o := object{{"type", "offset"}, {"direction", direction}, {"moment", from}, {"offset", by}}
	if which != "" {
		o = append(o, member{"which_day_end", which})
	}
	return o
}
