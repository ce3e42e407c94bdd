package connectsim

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Answer is the customer answering an inquiry: the values are set, their
// errors go, and the request is pending again. It fails if the request is not
// inquiring or has no such parameter.
func (s *Server) Answer(requestID string, values map[string]string) error {
	return s.act(requestID, "answer", func(req object) error {
		if !inStatus(req, statusInquiring) {
			return transition("Only inquiring requests can be answered.")
		}
		if err := correct(rows(req, "asset", "params"), values); err != nil {
			return err
		}
		req["status"], req["answered"] = statusPending, true
		delete(req, "params_form_url")
		return nil
	})
}

// correct sets values and clears their errors.
func correct(params []object, values map[string]string) error {
	for id, value := range values {
		p := find(params, "id", id)
		if p == nil {
			return invalid("params", "Parameter %s does not exist.", id)
		}
		p["value"], p["value_error"] = value, ""
	}
	return nil
}

// AnswerTier is the reseller answering the inquiry of a tier request, as Answer
// is the customer.
func (s *Server) AnswerTier(requestID string, values map[string]string) error {
	return s.actTier(requestID, "answer", func(req object, c *call) (answer, error) {
		if err := correct(rows(req, "params"), values); err != nil {
			return answer{}, err
		}
		return s.pendTier(req, c)
	})
}

// FailTier is a person failing a tier request in the portal. What waits for it
// fails, too.
func (s *Server) FailTier(requestID, reason string) error {
	return s.actTier(requestID, "fail", func(req object, _ *call) (answer, error) {
		return s.failTier(req, &call{body: object{"reason": reason}})
	})
}

func (s *Server) actTier(id, verb string, action func(object, *call) (answer, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.changeTierRequest(&call{id: id}, action); err != nil {
		return fmt.Errorf("%s tier request %s: %w", verb, id, err)
	}
	return nil
}

// SetStatus is a person acting in the portal: whatever the status was, it is
// now this one. Approving and failing take their effect on the asset, nothing
// else is checked.
func (s *Server) SetStatus(requestID, status string) error {
	return s.act(requestID, "set status of", func(req object) error {
		switch status {
		case statusApproved:
			req["status"], req["effective_date"] = status, s.now()
			s.settleApproved(req)
		case statusFailed:
			s.settleFailed(req)
		default:
			req["status"] = status
		}
		return nil
	})
}

func (s *Server) act(id, verb string, action func(object) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.changeRequest(&call{id: id}, func(req object, _ *call) error { return action(req) })
	if err != nil {
		return fmt.Errorf("%s request %s: %w", verb, id, err)
	}
	return nil
}

// routeSim adds what acts as the customer and the portal, without a key.
func (s *Server) routeSim(mux *http.ServeMux) {
	result := func(c *call, err error) (answer, error) {
		if err != nil {
			return answer{}, err
		}
		s.mu.RLock()
		defer s.mu.RUnlock()
		return answer{record: s.requests.byID[c.id]}, nil
	}
	mux.HandleFunc("POST /_sim/forms/{id}", s.serve(func(c *call) (answer, error) {
		values := map[string]string{}
		for id, v := range c.body {
			values[id], _ = scalar(v)
		}
		if strings.HasPrefix(c.id, "TCR-") {
			return s.tierResult(c, s.AnswerTier(c.id, values))
		}
		return result(c, s.Answer(c.id, values))
	}))
	mux.HandleFunc("POST /_sim/requests/{id}/status", s.serve(func(c *call) (answer, error) {
		return result(c, s.SetStatus(c.id, text(c.body, "status")))
	}))
	mux.HandleFunc("GET /_sim/counts", s.serve(func(*call) (answer, error) {
		return answer{value: object{"requests": s.Counts(), "tier_requests": s.TierCounts()}}, nil
	}))
	mux.HandleFunc("POST /_sim/rows", s.postRow)
}

func (s *Server) tierResult(c *call, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return answer{record: s.tierRequests.byID[c.id]}, nil
}

// postRow is AddRaw for those who are not in the process.
func (s *Server) postRow(w http.ResponseWriter, r *http.Request) {
	row, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		fail(w, refuse("BAD_000", "read body: %v", err))
		return
	}
	s.AddRaw(row)
	w.WriteHeader(http.StatusNoContent)
}
