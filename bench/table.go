package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// printTable prints a line for each target of each case.
func printTable(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\tproxy\tCPU\tper\tratio\tmiddle half\tgoal\tp50\tp99\t"+
		"allocs/req\tallocs/event\tgoal\tKB/req\tpeak MB\terrors\t")
	for _, r := range results {
		for _, t := range r.targets {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.load.name, t.name, t.columns(r.load))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		for _, t := range r.targets {
			if t.lost > 0 {
				fmt.Fprintf(out, "%s, %s: %.1f%% of the events did not reach their hooks, whose queues were full\n",
					r.load.name, t.name, 100*float64(t.lost)/float64(t.calls*t.sent))
			}
		}
	}
	return nil
}

// columns are the figures of one line.
func (t *target) columns(l load) string {
	cpu := median(t.rounds, func(r round) float64 { return float64(r.cpu) / float64(time.Microsecond) })
	allocs := median(t.rounds, func(r round) float64 { return r.allocs })
	kilobytes := median(t.rounds, func(r round) float64 { return r.bytes / 1024 })
	ratio, middle, goal := "1", "", ""
	if len(t.ratios) > 0 {
		ratio = fmt.Sprintf("%.2f", quantile(t.ratios, 0.5))
		middle = fmt.Sprintf("%.2f-%.2f", quantile(t.ratios, 0.25), quantile(t.ratios, 0.75))
	}
	if t.goal > 0 {
		goal = fmt.Sprintf("≤ %.1f", t.goal)
	}
	perEvent, allocGoal := "", ""
	if l.stream {
		perEvent = fmt.Sprintf("%.1f", allocs/streamEvents)
	}
	if t.goal > 0 && l.allocs > 0 {
		allocGoal = fmt.Sprintf("≤ %.0f", l.allocs)
	}
	return fmt.Sprintf("%.2fµs\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%s\t%s\t%.1f\t%.1f\t%d\t",
		cpu, l.unit(), ratio, middle, goal,
		quantile(t.tally.latencies, 0.5).Round(10*time.Microsecond),
		quantile(t.tally.latencies, 0.99).Round(10*time.Microsecond),
		allocs, perEvent, allocGoal, kilobytes, float64(t.peak)/(1<<20), t.tally.errors)
}

// verdict is an error if an answer was wrong or, where asked for, a ratio is above its goal.
func verdict(results []result, goals bool) error {
	var errs []error
	for _, r := range results {
		for _, t := range r.targets {
			if t.tally.errors > 0 {
				errs = append(errs, fmt.Errorf("%s, %s: %d of %d answers were wrong, the first: %w",
					r.load.name, t.name, t.tally.errors, t.sent, t.tally.first))
			}
			if ratio := quantile(t.ratios, 0.5); goals && t.goal > 0 && ratio > t.goal {
				errs = append(errs, fmt.Errorf("%s, %s: the ratio %.2f is above the goal of %.1f",
					r.load.name, t.name, ratio, t.goal))
			}
			allocs := median(t.rounds, func(r round) float64 { return r.allocs }) / streamEvents
			if goals && t.goal > 0 && r.load.allocs > 0 && allocs > r.load.allocs {
				errs = append(errs, fmt.Errorf("%s, %s: %.1f allocations per event are above the goal of %.0f",
					r.load.name, t.name, allocs, r.load.allocs))
			}
		}
	}
	return errors.Join(errs...)
}

func median(rounds []round, figure func(round) float64) float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, figure(r))
	}
	return quantile(values, 0.5)
}

// quantile is the value below which the part q of the values lies, the middle of two where it lies between them;
// 0 where there are none.
func quantile[N float64 | time.Duration](values []N, q float64) N {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + N((at-float64(low))*float64(sorted[high]-sorted[low]))
}
