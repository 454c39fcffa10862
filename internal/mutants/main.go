package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "numbers of the mutants to run, with commas between; all if empty")
	count := flag.Int("seeds", 0, "how many seeds the simulator plays for each, after the named tests")
	list := flag.Bool("list", false, "run nothing, only say what there is")
	unmutated := flag.Bool("control", true, "first run the same tests without any bug")
	flag.Parse()
	if *list {
		describe(os.Stdout, picked(*only))
		return
	}
	ok, err := report(context.Background(), os.Stdout, picked(*only), *count, *unmutated)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// picked are the mutants that are asked for.
func picked(only string) []Mutant {
	return slices.DeleteFunc(all(), func(m Mutant) bool {
		return only != "" && !slices.Contains(strings.Split(only, ","), strconv.Itoa(m.N))
	})
}

// describe says how each bug is made, and whom it is shown to.
func describe(w io.Writer, list []Mutant) {
	for _, m := range list {
		fmt.Fprintf(w, "%2d  %s\n", m.N, m.Bug)
		if m.None != "" {
			fmt.Fprintf(w, "    DOES NOT APPLY: %s\n", m.None)
			continue
		}
		fmt.Fprintf(w, "    %s: %s\n    asks %s -run %s\n", m.Place(), m.Why, m.Package, m.Run)
	}
}

// report prints one line for each mutant and tells whether all that can be
// made were killed.
func report(ctx context.Context, w io.Writer, list []Mutant, count int, unmutated bool) (bool, error) {
	root, err := absolute(".")
	if err != nil {
		return false, err
	}
	if unmutated {
		if err := control(ctx, root, slices.DeleteFunc(slices.Clone(list), func(m Mutant) bool { return m.None != "" }), count); err != nil {
			return false, err
		}
	}
	fmt.Fprintf(w, "%2s  %-62s %7s  %-6s %s\n", "n", "bug", "seconds", "seeds", "noticed by")
	killed, alive, none := 0, 0, 0
	for _, m := range list {
		if m.None != "" {
			none++
			fmt.Fprintf(w, "%2d  %-62s %7s  %-6s does not apply: %s\n", m.N, m.Bug, "", "", m.None)
			continue
		}
		v := m.judge(ctx, root, count)
		if v.killed() {
			killed++
		} else {
			alive++
		}
		fmt.Fprintf(w, "%2d  %-62s %7.0f  %-6s %s\n", m.N, m.Bug, v.took.Round(time.Second).Seconds(), v.sought(count), v.noticed())
	}
	fmt.Fprintf(w, "\n%d killed, %d survived, %d do not apply\n", killed, alive, none)
	return alive == 0, nil
}
