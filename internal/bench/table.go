package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// line is one row of the result. Empty texts print as a dash.
type line struct{ what, figure, floor, ratio, target, reached string }

type table struct {
	lines  []line
	missed []string // targets that were measured and not reached
}

// add adds a figure without a target.
func (t *table) add(l line) { t.lines = append(t.lines, l) }

// must adds a figure with its target.
func (t *table) must(l line, reached bool) {
	l.reached = "yes"
	if !reached {
		l.reached = "NO"
		t.missed = append(t.missed, strings.TrimSpace(l.what)+": "+l.figure+", must reach "+l.target)
	}
	t.add(l)
}

// slower adds a figure of which more is better, with floor/figure as ratio;
// least is its target, 0 for none.
func (t *table) slower(what, unit string, figure, floor, least float64) {
	l := line{what: what, figure: number(figure) + " " + unit, floor: number(floor) + " " + unit, ratio: ratio(floor, figure)}
	if least == 0 {
		t.add(l)
		return
	}
	l.target = ">= " + number(least) + " " + unit
	t.must(l, figure >= least)
}

// longer adds a time, with figure/floor as ratio; a floor of 0 is none, a most
// of 0 is no target.
func (t *table) longer(what string, figure, floor, most time.Duration) {
	l := line{what: what, figure: short(figure)}
	if floor > 0 {
		l.floor, l.ratio = short(floor), ratio(float64(figure), float64(floor))
	}
	if most == 0 {
		t.add(l)
		return
	}
	l.target = "< " + short(most)
	t.must(l, figure < most)
}

// exact adds a number that must be as wanted.
func (t *table) exact(what string, figure, wanted int64) {
	t.must(line{what: what, figure: fmt.Sprint(figure), floor: fmt.Sprint(wanted), target: fmt.Sprint(wanted)}, figure == wanted)
}

// atMost adds a figure that may not be greater.
func (t *table) atMost(what string, figure, floor, most float64) {
	t.must(line{what: what, figure: number(figure), floor: number(floor), ratio: ratio(figure, floor), target: "<= " + number(most)}, figure <= most)
}

// way adds the distribution of a time; a target of 0 is none.
func (t *table) way(what string, own, floor []time.Duration, p50, p99 time.Duration) {
	l := line{what: what + " p50 / p99", figure: pair(own), floor: pair(floor)}
	if len(floor) > 0 {
		l.ratio = ratio(float64(percentile(own, 99)), float64(percentile(floor, 99)))
	}
	switch {
	case p99 == 0:
		t.add(l)
		return
	case p50 == 0:
		l.target = "p99 < " + short(p99)
	default:
		l.target = "< " + short(p50) + " / " + short(p99)
	}
	t.must(l, len(own) > 0 && (p50 == 0 || percentile(own, 50) < p50) && percentile(own, 99) < p99)
}

// verdict is an error that names the targets that were not reached.
func (t *table) verdict() error {
	if len(t.missed) == 0 {
		return nil
	}
	return fmt.Errorf("not reached: %s", strings.Join(t.missed, "; "))
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	all := append([]line{{"what", "figure", "floor", "ratio", "must reach", "reached"}}, t.lines...)
	for _, l := range all {
		cells := []string{l.what, l.figure, l.floor, l.ratio, l.target, l.reached}
		for i := range cells {
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		if _, err := fmt.Fprintln(tw, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// short prints a time with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second / 10).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond / 10).String()
	}
	return d.Round(time.Microsecond / 10).String()
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

// percentile of times; it sorts them. 0 for none.
func percentile(list []time.Duration, p float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, int(p/100*float64(len(list))))]
}

func pair(list []time.Duration) string {
	if len(list) == 0 {
		return ""
	}
	return short(percentile(list, 50)) + " / " + short(percentile(list, 99))
}
