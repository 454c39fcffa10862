package sim

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"closesync/mapping"
)

// Scenario is everything a run depends on.
type Scenario struct {
	Seed   uint64
	Config Config
	Recs   []Rec
	Steps  []Step
}

// Rec is a record of the small world. It may be there at the start, in Close
// and loaded, or be made by a step.
type Rec struct {
	Name, Type string
	Under      string // its lead
	There      bool
}

// Config is what does not change during a scenario.
type Config struct {
	Policy        mapping.Policy
	Optimistic    bool
	SeesAll       bool
	Hooks         bool // a webhook subscription is kept
	Consolidation time.Duration
	IndexLag      time.Duration
	HookDelay     time.Duration
	MergeDelay    time.Duration
	Latency       time.Duration // of a call, both ways
	Tick          time.Duration // that passes with each step
	CloseSkew     time.Duration // of Close's clock against the database's
	WorkerSkew    time.Duration // of the workers' clocks
	NoopTouches   bool
	RefuseMove    bool
	MaxDeletes    int // guards; 0: off
	MaxPercent    int
	MaxCreates    int
}

// Step is one thing that happens. Fields that a verb does not use are zero.
// Steps name records and not rows or ids, so that a scenario from which others
// were taken out still makes sense: a step that cannot be done is passed over.
type Step struct {
	Who   string        // close, local, hook, clock, fault, w1, w2
	Do    string        // the verb
	Rec   string        // record
	Into  string        // another record
	Field string        // field of Close, "custom" for the custom text field
	N     int           // token, or which of several
	S     int           // local session; 0: a transaction of its own
	Stop  int           // yields until the operation is suspended; 0: never
	For   time.Duration // how long
	Kind  string        // of a fault
	Path  string        // of a fault
	Rate  float64       // of a fault
	Code  int           // status of a fault
}

// String is the step as a line of a script.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(s.Who + " " + s.Do)
	writeFields(&b, reflect.ValueOf(s), 2)
	return b.String()
}

func writeFields(b *strings.Builder, v reflect.Value, from int) {
	for i := from; i < v.NumField(); i++ {
		if !v.Field(i).IsZero() {
			fmt.Fprintf(b, " %s=%v", strings.ToLower(v.Type().Field(i).Name), v.Field(i).Interface())
		}
	}
}

// Script is the scenario as text, one line a step.
func (s Scenario) Script() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nconfig", s.Seed)
	writeFields(&b, reflect.ValueOf(s.Config), 0)
	b.WriteByte('\n')
	for _, r := range s.Recs {
		fmt.Fprintf(&b, "rec %s", r.Name)
		writeFields(&b, reflect.ValueOf(r), 1)
		b.WriteByte('\n')
	}
	for _, st := range s.Steps {
		b.WriteString(st.String() + "\n")
	}
	return b.String()
}

// Parse reads a script. Lines that begin with # are remarks.
func Parse(text string) (Scenario, error) {
	var s Scenario
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := s.take(words); err != nil {
			return s, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return s, nil
}

func (s *Scenario) take(words []string) (err error) {
	switch words[0] {
	case "seed":
		s.Seed, err = strconv.ParseUint(words[1], 10, 64)
		return err
	case "config":
		return readFields(reflect.ValueOf(&s.Config).Elem(), words[1:])
	case "rec":
		r := Rec{Name: words[1]}
		err = readFields(reflect.ValueOf(&r).Elem(), words[2:])
		s.Recs = append(s.Recs, r)
		return err
	}
	if len(words) < 2 {
		return fmt.Errorf("a step needs who and what: %q", words[0])
	}
	st := Step{Who: words[0], Do: words[1]}
	err = readFields(reflect.ValueOf(&st).Elem(), words[2:])
	s.Steps = append(s.Steps, st)
	return err
}

func readFields(v reflect.Value, words []string) error {
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		f := v.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		if !ok || !f.IsValid() {
			return fmt.Errorf("no such part: %q", w)
		}
		if err := setField(f, value); err != nil {
			return fmt.Errorf("%q: %w", w, err)
		}
	}
	return nil
}

func setField(f reflect.Value, value string) error {
	switch f.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(value)
		f.SetInt(int64(d))
		return err
	case bool:
		f.SetBool(value == "true")
		return nil
	case int:
		n, err := strconv.Atoi(value)
		f.SetInt(int64(n))
		return err
	case float64:
		x, err := strconv.ParseFloat(value, 64)
		f.SetFloat(x)
		return err
	}
	f.SetString(value)
	return nil
}
