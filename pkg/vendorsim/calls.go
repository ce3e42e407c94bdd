package vendorsim

import (
	"bytes"
	"net/http"
)

func (s *Server) create(c *call) *answer {
	b, refused := readBody(c.body)
	if refused != nil {
		return refused
	}
	if b.ExternalID == "" && !s.opts.Lenient {
		return refusal(http.StatusUnprocessableEntity, "externalId is missing")
	}
	start := s.begin()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Now()
	fresh := Tenant{ID: s.newID(), Created: now, ReadyAt: now.Add(s.opts.Async)}
	b.apply(&fresh, now)
	s.keep(&fresh, c)
	t := s.put(fresh)
	s.done(c, Create, start, t, b.RequestID)
	return &answer{status: http.StatusCreated, value: s.show(t)}
}

// keep remembers the body as it came, for those who send their own.
func (s *Server) keep(t *Tenant, c *call) {
	if s.opts.Lenient {
		t.Body = bytes.Clone(c.body)
	}
}

func (s *Server) list(c *call) *answer {
	return &answer{status: http.StatusOK, value: s.lookup(c.r.URL.Query().Get("externalId"))}
}

func (s *Server) get(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.find(c.id)
	if t == nil {
		return noTenant(c.id)
	}
	return &answer{status: http.StatusOK, value: s.show(t)}
}

func (s *Server) update(c *call) *answer {
	b, refused := readBody(c.body)
	if refused != nil {
		return refused
	}
	return s.change(c, Update, b.RequestID, func(t *Tenant) *answer {
		b.apply(t, s.opts.Now())
		s.keep(t, c)
		return &answer{status: http.StatusOK, value: s.show(t)}
	})
}

func (s *Server) remove(c *call) *answer  { return s.setState(c, Delete, StateDeleted) }
func (s *Server) disable(c *call) *answer { return s.setState(c, Disable, StateSuspended) }
func (s *Server) enable(c *call) *answer  { return s.setState(c, Enable, StateActive) }

func (s *Server) setState(c *call, kind, state string) *answer {
	return s.change(c, kind, "", func(t *Tenant) *answer {
		t.State = state
		return &answer{status: http.StatusNoContent}
	})
}

// change carries out an operation on a living tenant.
func (s *Server) change(c *call, kind, requestID string, effect func(*Tenant) *answer) *answer {
	start := s.begin()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.find(c.id)
	if t == nil {
		return noTenant(c.id)
	}
	a := effect(t)
	s.done(c, kind, start, t, requestID)
	return a
}

func noTenant(id string) *answer {
	return refusal(http.StatusNotFound, "there is no tenant %q", id)
}
