package main

import (
	"fmt"
	"io"
	"strings"
)

// Row is one fault with what covers it.
type Row struct {
	Fault
	Tests []Test
}

// rows puts tests beside the faults; strays are tests whose id is no fault.
func rows(faults []Fault, found map[string][]Test) (table []Row, strays []Test) {
	known := map[string]bool{}
	for _, f := range faults {
		known[f.ID] = true
		table = append(table, Row{Fault: f, Tests: found[f.ID]})
	}
	for id, tests := range found {
		if !known[id] {
			strays = append(strays, tests...)
		}
	}
	return table, strays
}

// uncovered are the ids without a test, of these groups or of all.
func uncovered(table []Row, groups string) []string {
	var ids []string
	for _, r := range table {
		if len(r.Tests) == 0 && (groups == "" || strings.Contains(groups, r.Group())) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// unproven are the ids one of whose tests did not pass.
func unproven(table []Row, results Results) []string {
	var ids []string
	for _, r := range table {
		for _, t := range r.Tests {
			if results[t] != "pass" {
				ids = append(ids, r.ID)
				break
			}
		}
	}
	return ids
}

// write prints the table; without results it only says which tests there are.
func write(w io.Writer, table []Row, results Results) {
	for _, r := range table {
		if len(r.Tests) == 0 {
			fmt.Fprintf(w, "%-4s %-56s %s\n", r.ID, r.Name, "NO TEST")
			continue
		}
		fmt.Fprintf(w, "%-4s %s\n", r.ID, r.Name)
		for _, t := range r.Tests {
			fmt.Fprintf(w, "     %-8s %s.%s\n", outcome(results, t), t.Dir, t.Name)
		}
	}
}

func outcome(results Results, t Test) string {
	switch {
	case results == nil:
		return ""
	case results[t] == "":
		return "NO END"
	case results[t] == "pass":
		return "pass"
	}
	return strings.ToUpper(results[t])
}
