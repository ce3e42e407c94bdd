// Package bench measures how fast Headrace is: against a loop without a bus
// that makes the same calls, against a pipeline on bare nats.go that stores the
// same messages, and part by part against nats.go. It is nothing but tests; make
// bench runs the long form and writes docs/reference/performance.md.
//
// Whatever is compared is measured in turns, several times, and a row of the
// table is the median. An experiment is what is measured together; a new one
// goes into experiments.
package bench

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// experiments are all that make bench measures, in the order of the table.
func experiments() []experiment {
	return slices.Concat(endToEnd(), bus(), memory())
}

// orders are what the environment asks for.
//
//	BENCH=1             measure at all
//	BENCH_ONLY=regexp   only the rows whose experiment, name or rival it matches
//	BENCH_RUNS=3        how often each is measured
//	BENCH_DOCS=1        the rows are written to docs/reference/performance.md
//	BENCH_BACKLOG=n     so many requests wait where memory is measured (1,000,000)
//	BENCH_DIR=dir       where the brokers keep their streams
//	BENCH_PROFILE=dir   processor profiles of Headrace and of bare are put there;
//	                    nothing is written to the docs then
type orders struct {
	runs    int
	only    *regexp.Regexp
	docs    bool
	dir     string
	profile string
}

func ordered(t *testing.T) orders {
	t.Helper()
	o := orders{
		runs: 3, docs: os.Getenv("BENCH_DOCS") != "",
		dir: os.Getenv("BENCH_DIR"), profile: os.Getenv("BENCH_PROFILE"),
	}
	if text := os.Getenv("BENCH_RUNS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("BENCH_RUNS=%s is no number of runs", text)
		}
		o.runs = n
	}
	only, err := regexp.Compile(os.Getenv("BENCH_ONLY"))
	if err != nil {
		t.Fatalf("BENCH_ONLY: %v", err)
	}
	o.only = only
	const fewest = 3 // a median of less says little
	if o.runs < fewest || o.profile != "" {
		o.docs = false
	}
	return o
}

func TestBench(t *testing.T) {
	if os.Getenv("BENCH") == "" {
		t.Skip("measures for minutes, on a machine that does nothing else: make bench")
	}
	o := ordered(t)
	var found []result
	for _, e := range experiments() {
		rows := e.chosen(o.only)
		if len(rows) == 0 {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			results := e.measure(t, o, rows)
			if t.Failed() {
				return
			}
			found = append(found, results...)
			t.Log("\n" + table(results))
			if o.docs { // after each: a later one may fail
				if err := publish(results); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Log("\n" + machine() + "\n\n" + table(found))
}
