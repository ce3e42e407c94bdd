package fulfillment

import "strings"

// Deed is what an operator did to a dead letter. It goes with the deed itself,
// in HeaderDeed, and is the audit record's own part.
type Deed struct {
	Deed   string `json:"deed"` // DeedRedriven, DeedDiscarded or DeedRevealed
	By     string `json:"by"`
	Letter uint64 `json:"letter"` // its sequence in StreamDead
	Stage  Stage  `json:"stage"`  // the letter's
	// Outcome is what the operator said of the vendor call: done, not-done or "".
	Outcome string `json:"outcome,omitempty"`
	// Set are the ids of the parameters to save, not their values.
	Set    []string `json:"set,omitempty"`
	Edited bool     `json:"edited,omitempty"` // the body was
	Note   string   `json:"note,omitempty"`   // why, in the operator's words
}

// What an operator can do to a dead letter.
const (
	DeedRedriven  = "redriven"
	DeedDiscarded = "discarded"
	DeedRevealed  = "revealed"
)

// More is what there is to say of a deed beyond who did what, "" for nothing.
func (d *Deed) More() string {
	var parts []string
	if d.Outcome != "" {
		parts = append(parts, "the vendor's part is "+strings.ReplaceAll(d.Outcome, "-", " "))
	}
	if len(d.Set) > 0 {
		parts = append(parts, "sets "+strings.Join(d.Set, ", "))
	}
	if d.Edited {
		parts = append(parts, "body edited")
	}
	if d.Note != "" {
		parts = append(parts, d.Note)
	}
	return strings.Join(parts, "; ")
}
