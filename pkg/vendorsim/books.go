package vendorsim

import (
	"slices"
	"strconv"
)

// Tenants returns all tenants in the order of their creation, deleted ones too.
func (s *Server) Tenants() []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	tenants := make([]Tenant, len(s.order))
	for i, id := range s.order {
		tenants[i] = s.show(s.tenants[id])
	}
	return tenants
}

// Tenant returns one tenant; a deleted one is found, with that state.
func (s *Server) Tenant(id string) (Tenant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tenants[id]; ok {
		return s.show(t), true
	}
	return Tenant{}, false
}

// find returns the living tenant of that id, adopted if need be, or nil. The caller holds the mutex.
func (s *Server) find(id string) *Tenant {
	t, ok := s.tenants[id]
	if !ok && s.opts.Adopt != nil {
		if adopted, yes := s.opts.Adopt(id); yes {
			adopted.ID = id
			t = s.put(adopted.clone())
		}
	}
	if t == nil || t.State == StateDeleted {
		return nil
	}
	return t
}

// put stores a tenant. The caller holds the mutex.
func (s *Server) put(t Tenant) *Tenant {
	if t.State == "" {
		t.State = StateActive
	}
	if t.Status == "" {
		t.Status = StatusReady
	}
	if _, ok := s.tenants[t.ID]; !ok {
		s.order = append(s.order, t.ID)
	}
	s.tenants[t.ID] = &t
	return &t
}

// show is the tenant as it is at this moment. The caller holds the mutex.
func (s *Server) show(t *Tenant) Tenant {
	shown := t.clone()
	if s.opts.Now().Before(t.ReadyAt) {
		shown.Status = StatusProcessing
	}
	return shown
}

// newID returns an id that no tenant has. The caller holds the mutex.
func (s *Server) newID() string {
	for {
		id := ""
		if s.opts.NewID != nil {
			id = s.opts.NewID()
		} else {
			s.lastID++
			id = "T-" + strconv.Itoa(s.lastID)
		}
		if _, taken := s.tenants[id]; !taken {
			return id
		}
	}
}

// lookup returns the living tenants of an external id, or all for "".
func (s *Server) lookup(externalID string) []Tenant {
	return slices.DeleteFunc(s.Tenants(), func(t Tenant) bool {
		return t.State == StateDeleted || externalID != "" && t.ExternalID != externalID
	})
}
