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
type line struct{ what, figure, floor, ratio, target string }

type table struct{ lines []line }

func (t *table) add(l line) { t.lines = append(t.lines, l) }

// slower adds a figure of which more is better, with floor/figure as ratio.
func (t *table) slower(what, unit string, figure, floor float64, target string) {
	t.add(line{what, number(figure) + " " + unit, number(floor) + " " + unit, ratio(floor, figure), target})
}

// longer adds a time, with figure/floor as ratio; a floor of 0 is none.
func (t *table) longer(what string, figure, floor time.Duration, target string) {
	l := line{what: what, figure: short(figure), target: target}
	if floor > 0 {
		l.floor, l.ratio = short(floor), ratio(float64(figure), float64(floor))
	}
	t.add(l)
}

// count adds a number with its floor.
func (t *table) count(what string, figure, floor int64, target string) {
	t.add(line{what, fmt.Sprint(figure), fmt.Sprint(floor), "", target})
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	all := append([]line{{"what", "figure", "floor", "ratio", "must reach"}}, t.lines...)
	for _, l := range all {
		cells := []string{l.what, l.figure, l.floor, l.ratio, l.target}
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
