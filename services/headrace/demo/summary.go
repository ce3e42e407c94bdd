package demo

import (
	"fmt"
	"io"
	"time"
)

// row counts the requests of one type of which the same should become.
type row struct {
	kind  string
	want  outcome
	right int // that came out so
	open  int // of which more is to become
	wrong []fault
}

// fault is a request that came out otherwise.
type fault struct{ id, how string }

func (r row) requests() int { return r.right + r.open + len(r.wrong) }

type summary struct {
	rows     []row
	overlaps int // pairs of operations on one subscription at the same time
	strays   int // effects at the vendor that belong to no request
}

// total is the sum of all rows.
func (s summary) total() row {
	var t row
	for _, r := range s.rows {
		t.right += r.right
		t.open += r.open
		t.wrong = append(t.wrong, r.wrong...)
	}
	return t
}

func (s summary) good() bool {
	t := s.total()
	return t.right > 0 && t.right == t.requests() && s.overlaps == 0 && s.strays == 0
}

// summary looks at both simulators.
func (w *world) summary() summary {
	p := w.proof()
	s := summary{overlaps: len(w.vendor.Overlaps())}
	for key, ops := range p.effects {
		if !w.known[key] {
			s.strays += len(ops)
		}
	}
	for _, kind := range kinds() {
		for _, want := range outcomes() {
			if r := w.row(p, kind, want); r.requests() > 0 {
				s.rows = append(s.rows, r)
			}
		}
	}
	return s
}

func (w *world) row(p *proof, kind string, want outcome) row {
	r := row{kind: kind, want: want}
	for _, o := range w.orders {
		if o.kind != kind || o.want != want {
			continue
		}
		if !w.finished(o, p.statuses[o.id]) {
			r.open++
		} else if how := p.judge(o); how != "" {
			r.wrong = append(r.wrong, fault{o.id, how})
		} else {
			r.right++
		}
	}
	return r
}

// told is how many of the requests that came out wrong are listed for each row.
const told = 10

// print ends with the table.
func (s summary) print(out io.Writer, took time.Duration) error {
	t := s.total()
	verdict := "every request reached the outcome that it should"
	if len(t.wrong) > 0 {
		verdict = fmt.Sprintf("%d of %d requests did NOT reach the outcome that they should", len(t.wrong), t.requests())
	} else if t.open > 0 {
		verdict = fmt.Sprintf("%d requests are still open, every other reached the outcome that it should", t.open)
	}
	p := &printer{out: out}
	p.line("\nAfter %s, counted in the simulated Connect and at the simulated vendor: %s;\n"+
		"operations on one subscription at the same time: %d; effects that no request asked for: %d.\n",
		took.Round(100*time.Millisecond), verdict, s.overlaps, s.strays)
	for _, r := range s.rows {
		r.list(p)
	}
	const format = "%-16s  %-38s  %8v  %11v  %4v  %9v"
	p.line(format, "TYPE", "EXPECTED", "REQUESTS", "AS EXPECTED", "OPEN", "OTHERWISE")
	for _, r := range append(s.rows, t) {
		kind := r.kind
		if kind == "" {
			kind = "total"
		}
		p.line(format, kind, r.want, r.requests(), r.right, r.open, len(r.wrong))
	}
	return p.err
}

// list names those that came out otherwise.
func (r row) list(p *printer) {
	if len(r.wrong) == 0 {
		return
	}
	p.line("%s, expected: %s", r.kind, r.want)
	for _, f := range r.wrong[:min(told, len(r.wrong))] {
		p.line("  %s: %s", f.id, f.how)
	}
	if more := len(r.wrong) - told; more > 0 {
		p.line("  and %d more", more)
	}
	p.line("")
}

// printer keeps the first error.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err != nil {
		return
	}
	if _, err := fmt.Fprintf(p.out, format+"\n", args...); err != nil {
		p.err = fmt.Errorf("print summary: %w", err)
	}
}
