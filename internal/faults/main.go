package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const module = "closesync"

func main() {
	list := flag.Bool("list", false, "run nothing, only say which tests there are")
	kept := flag.String("results", "", "read the output of `go test -json` from this file instead of running tests")
	flag.Parse()
	ok, err := report(os.Stdout, ".", *list, *kept)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if !ok {
		os.Exit(1)
	}
}

// report prints the table and tells whether every fault is covered and, if
// results are known, proven.
func report(w io.Writer, root string, list bool, kept string) (bool, error) {
	faults, err := catalogue(catalogueText)
	if err != nil {
		return false, err
	}
	found, err := find(root)
	if err != nil {
		return false, err
	}
	table, strays := rows(faults, found)
	if len(strays) > 0 {
		return false, fmt.Errorf("tests of faults that are not in the catalogue: %v", strays)
	}
	results, err := outcomes(root, table, list, kept)
	if err != nil {
		return false, err
	}
	write(w, table, results)
	return summary(w, table, results), nil
}

// outcomes finds out how the tests ended; nil if nobody wants to know.
func outcomes(root string, table []Row, list bool, kept string) (Results, error) {
	if list {
		return nil, nil
	}
	if kept != "" {
		f, err := os.Open(kept)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return read(f, module)
	}
	var tests []Test
	for _, r := range table {
		tests = append(tests, r.Tests...)
	}
	return run(root, tests, module, os.Stderr)
}

func summary(w io.Writer, table []Row, results Results) bool {
	missing := uncovered(table, "")
	fmt.Fprintf(w, "\n%d of %d faults have a test\n", len(table)-len(missing), len(table))
	if len(missing) > 0 {
		fmt.Fprintf(w, "without one: %s\n", strings.Join(missing, " "))
	}
	if results == nil {
		return len(missing) == 0
	}
	bad := unproven(table, results)
	fmt.Fprintf(w, "%d of %d faults have passed all of theirs\n", len(table)-len(missing)-len(bad), len(table))
	if len(bad) > 0 {
		fmt.Fprintf(w, "not all passed: %s\n", strings.Join(bad, " "))
	}
	return len(missing) == 0 && len(bad) == 0
}
