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
	count := flag.Int("seeds", 0, "how many seeds the simulator plays before the named tests are asked")
	list := flag.Bool("list", false, "run nothing, only say what there is")
	flag.Parse()
	ok, err := report(context.Background(), os.Stdout, ".", *only, *count, *list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// report prints one line for each mutant and tells whether all that can be
// made were killed.
func report(ctx context.Context, w io.Writer, root, only string, seeds int, list bool) (bool, error) {
	root, err := absolute(root)
	if err != nil {
		return false, err
	}
	killed, alive, none := 0, 0, 0
	for _, m := range all() {
		if only != "" && !slices.Contains(strings.Split(only, ","), strconv.Itoa(m.N)) {
			continue
		}
		fmt.Fprintf(w, "%2d  %s\n", m.N, m.Bug)
		switch {
		case m.None != "":
			none++
			fmt.Fprintf(w, "    DOES NOT APPLY: %s\n", m.None)
			continue
		case list:
			fmt.Fprintf(w, "    %s: %s\n    asks %s -run %s\n", m.Place(), m.Why, m.Package, m.Run)
			continue
		}
		v, err := m.judge(ctx, root, seeds)
		if err != nil {
			return false, fmt.Errorf("mutant %d: %w", m.N, err)
		}
		says := "killed by " + v.killed
		if v.killed == "" {
			alive++
			says = "SURVIVED"
		} else {
			killed++
		}
		fmt.Fprintf(w, "    %s: %s, %s\n", m.Place(), says, v.took.Round(time.Second))
	}
	if !list {
		fmt.Fprintf(w, "\n%d killed, %d survived, %d do not apply\n", killed, alive, none)
	}
	return alive == 0, nil
}
