package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/vendorsim"
)

// types are the types of request in the demo, in the table's order.
func types() []string { return []string{"purchase", "change", "cancel", "suspend", "resume"} }

// row counts the requests of one type.
type row struct {
	requests, approved, failed, open int
	right                            int // in the state they should be in, at Connect and at the vendor
}

func (r *row) add(o row) {
	r.requests += o.requests
	r.approved += o.approved
	r.failed += o.failed
	r.open += o.open
	r.right += o.right
}

type summary struct {
	rows     map[string]*row
	total    row
	overlaps int // pairs of operations on one subscription at the same time
}

func (s summary) good() bool {
	return s.total.requests > 0 && s.total.right == s.total.requests && s.overlaps == 0
}

// summary looks at both simulators.
func (w *world) summary() summary {
	s := summary{rows: map[string]*row{}, overlaps: len(w.vendor.Overlaps())}
	for _, t := range types() {
		s.rows[t] = new(row)
	}
	books := w.books()
	for _, r := range w.connect.Requests() {
		one := row{requests: 1}
		switch r.Status {
		case "approved":
			one.approved = 1
		case "failed":
			one.failed = 1
		default:
			one.open = 1
		}
		if right(r, books[r.AssetID]) {
			one.right = 1
		}
		if s.rows[r.Type] != nil {
			s.rows[r.Type].add(one)
		}
		s.total.add(one)
	}
	return s
}

// account is what the vendor has of one subscription.
type account struct {
	tenants []vendorsim.Tenant
	effects map[string]int // by kind of operation
}

func (w *world) books() map[string]account {
	books := map[string]account{}
	for _, t := range w.vendor.Tenants() {
		a := books[t.ExternalID]
		a.tenants = append(a.tenants, t)
		a.effects = map[string]int{}
		books[t.ExternalID] = a
	}
	for _, op := range w.vendor.Operations() {
		if a, ok := books[op.ExternalID]; ok {
			a.effects[op.Kind]++
		}
	}
	return books
}

// right tells whether a request reached the outcome that it should: approved at
// Connect, and carried out at the vendor, on one tenant.
func right(r connectsim.Request, a account) bool {
	if r.Status != "approved" || len(a.tenants) != 1 {
		return false
	}
	t := a.tenants[0]
	if r.Params["subscription_id"] != t.ID {
		return false
	}
	switch r.Type {
	case "purchase":
		return t.State == vendorsim.StateActive && t.RequestID == r.ID && a.effects[vendorsim.Create] == 1
	case "change":
		return t.State == vendorsim.StateActive && t.RequestID == r.ID && a.effects[vendorsim.Update] > 0
	case "cancel":
		return t.State == vendorsim.StateDeleted
	case "suspend":
		return t.State == vendorsim.StateSuspended
	case "resume":
		return t.State == vendorsim.StateActive && a.effects[vendorsim.Enable] > 0
	}
	return false
}

// print ends with the table.
func (s summary) print(out io.Writer, took time.Duration) error {
	verdict := "every request reached the outcome that it should"
	if wrong := s.total.requests - s.total.open - s.total.right; wrong > 0 {
		verdict = fmt.Sprintf("%d of %d requests did NOT reach the outcome that they should", wrong, s.total.requests)
	} else if s.total.open > 0 {
		verdict = fmt.Sprintf("%d requests are still open, every other reached the outcome that it should", s.total.open)
	}
	_, err := fmt.Fprintf(out, "\nAfter %s, counted in the simulated Connect and at the simulated vendor: %s;\n"+
		"operations on one subscription at the same time: %d.\n\n", took.Round(100*time.Millisecond), verdict, s.overlaps)
	if err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, r row) {
		// Flush tells what went wrong with any of the lines.
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, r.requests, r.approved, r.failed, r.open, r.right)
	}
	_, _ = fmt.Fprintln(t, "TYPE\tREQUESTS\tAPPROVED\tFAILED\tOPEN\tAS IT SHOULD\t")
	for _, name := range types() {
		line(name, *s.rows[name])
	}
	line("total", s.total)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return nil
}
