// Command faults prints every fault that the worker must survive, the tests
// that carry its id, and how they ended. It fails if a fault has no test, or
// one that did not pass.
package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed catalogue.txt
var catalogueText string

// Fault is one line of the catalogue.
type Fault struct {
	ID   string // group and number: A1
	Name string
}

// Group is the letter of the id.
func (f Fault) Group() string { return f.ID[:1] }

var line = regexp.MustCompile(`^([ABCDS][1-9][0-9]*) (\S.*)$`)

// catalogue reads the list, in which "#" begins a comment.
func catalogue(text string) ([]Fault, error) {
	var faults []Fault
	known := map[string]bool{}
	for n, l := range strings.Split(text, "\n") {
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil || known[m[1]] {
			return nil, fmt.Errorf("catalogue, line %d: want a new id and a name, got %q", n+1, l)
		}
		known[m[1]] = true
		faults = append(faults, Fault{ID: m[1], Name: m[2]})
	}
	return faults, nil
}
