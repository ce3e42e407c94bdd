package vendorsim

import (
	"slices"
	"time"
)

// The kinds of operations.
const (
	Create  = "create"
	Update  = "update"
	Delete  = "delete"
	Disable = "disable"
	Enable  = "enable"
)

// An Op is one effect that a call had. Refused and replayed calls have none.
type Op struct {
	Kind           string    `json:"kind"`
	TenantID       string    `json:"tenantId"`
	ExternalID     string    `json:"externalId"`
	RequestID      string    `json:"requestId"` // empty for calls without a body
	IdempotencyKey string    `json:"idempotencyKey"`
	Start          time.Time `json:"start"`
	End            time.Time `json:"end"`
}

// Operations returns every effect since the start or the last reset, in the order in which they ended.
func (s *Server) Operations() []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.operations)
}

// Overlaps returns the pairs of operations that were under way for one external id at the same time; with Options.Work
// at 0 there can hardly be one.
func (s *Server) Overlaps() [][2]Op {
	byID := map[string][]Op{}
	var pairs [][2]Op
	for _, op := range s.Operations() {
		for _, other := range byID[op.ExternalID] {
			if op.Start.Before(other.End) && other.Start.Before(op.End) {
				pairs = append(pairs, [2]Op{other, op})
			}
		}
		byID[op.ExternalID] = append(byID[op.ExternalID], op)
	}
	return pairs
}
