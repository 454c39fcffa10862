package config

import (
	"errors"
	"testing"
)

// FuzzParse: any file either loads, and then prints a file that loads the
// same, or gives *Error with at least one problem.
func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add("objects: {lead: {filter: {a: [1, 2.5e3, true, null, 'x']}}}")
	f.Add("schedule: {events: 'TZ=UTC'}")
	f.Add("? [a, b]\n: c")
	f.Add("a: &x [*x]")
	f.Add("<<: {listen: 'a:1'}")
	f.Add("- - -\n")
	f.Add("!!binary x: !!float 3")
	f.Add("guards: {max_deletes: .inf, max_creates: 0o17}")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := load(file, nil, nil, "/etc/c/keys/second", "k")
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 || err.Error() == "" {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		text, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := load(string(text), nil, nil, "/etc/c/keys/second", "k"); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
