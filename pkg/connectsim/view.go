package connectsim

import (
	"encoding/json"
	"maps"
	"time"
)

// Request is a request as it was at one moment.
type Request struct {
	ID, Type, Status, Reason, Note  string
	AssetID, AssetStatus, ProductID string
	TemplateID, ActivationKey       string
	Answered                        bool
	Params, ParamErrors             map[string]string // by parameter id
	Created, Updated                time.Time
	JSON                            json.RawMessage
}

// TierRequest is a tier request as it was at one moment.
type TierRequest struct {
	ID, Type, Status, Reason, Notes            string
	ConfigurationID, ConfigurationStatus       string
	AccountID, ProductID, ParentID, TemplateID string
	Params, ParamErrors                        map[string]string
	JSON                                       json.RawMessage
}

// Asset is an asset as it was at one moment.
type Asset struct {
	ID, Status, ProductID string
	Params                map[string]string
	JSON                  json.RawMessage
}

// Request returns a request, and false if there is none of that id.
func (s *Server) Request(id string) (Request, bool) {
	s.wake()
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.requests.byID[id]
	if r == nil {
		return Request{}, false
	}
	return r.request(), true
}

// Requests returns all requests in the order in which they came, raw rows
// included.
func (s *Server) Requests() []Request {
	s.wake()
	return view(s, func() []*record { return s.requests.rows }, (*record).request)
}

// TierRequests returns all tier requests in the order in which they came.
func (s *Server) TierRequests() []TierRequest {
	return view(s, func() []*record { return s.tierRequests.rows }, (*record).tierRequest)
}

// Assets returns all assets in the order in which they came.
func (s *Server) Assets() []Asset {
	return view(s, func() []*record { return s.assets.rows }, func(r *record) Asset {
		params, _ := values(rows(r.body, "params"))
		return Asset{
			ID: r.id, Status: text(r.body, "status"), ProductID: text(r.body, "product", "id"),
			Params: params, JSON: r.json(),
		}
	})
}

// Statuses tells the status of every request and tier request by id. Raw rows
// are left out.
func (s *Server) Statuses() map[string]string {
	s.wake()
	s.mu.RLock()
	defer s.mu.RUnlock()
	statuses := make(map[string]string, len(s.requests.rows)+len(s.tierRequests.rows))
	for _, list := range [][]*record{s.requests.rows, s.tierRequests.rows} {
		for _, r := range list {
			if !r.loose {
				statuses[r.id] = text(r.body, "status")
			}
		}
	}
	return statuses
}

// Counts tells how many requests there are by type and status. Raw rows are
// left out.
func (s *Server) Counts() map[string]map[string]int {
	return s.counts(func() *collection { return s.requests })
}

// TierCounts tells how many tier requests there are by type and status.
func (s *Server) TierCounts() map[string]map[string]int {
	return s.counts(func() *collection { return s.tierRequests })
}

func (s *Server) counts(of func() *collection) map[string]map[string]int {
	s.wake()
	s.mu.RLock()
	defer s.mu.RUnlock()
	counts := map[string]map[string]int{}
	for _, r := range of().rows {
		if r.loose {
			continue
		}
		kind := text(r.body, "type")
		if counts[kind] == nil {
			counts[kind] = map[string]int{}
		}
		counts[kind][text(r.body, "status")]++
	}
	return counts
}

func view[T any](s *Server, of func() []*record, as func(*record) T) []T {
	s.mu.RLock()
	list := append([]*record(nil), of()...)
	s.mu.RUnlock()
	out := make([]T, len(list))
	for i, r := range list {
		out[i] = as(r)
	}
	return out
}

func (r *record) request() Request {
	b := r.body
	params, faults := values(rows(b, "asset", "params"))
	return Request{
		ID: r.id, Type: text(b, "type"), Status: text(b, "status"), Reason: text(b, "reason"), Note: text(b, "note"),
		AssetID: text(b, "asset", "id"), AssetStatus: text(b, "asset", "status"), ProductID: text(b, "asset", "product", "id"),
		TemplateID: text(b, "template", "id"), ActivationKey: text(b, "activation_key"), Answered: b["answered"] == true,
		Params: params, ParamErrors: faults, Created: date(b["created"]), Updated: date(b["updated"]), JSON: r.json(),
	}
}

func (r *record) tierRequest() TierRequest {
	b := r.body
	params, faults := values(rows(b, "params"))
	return TierRequest{
		ID: r.id, Type: text(b, "type"), Status: text(b, "status"), Reason: text(b, "reason"), Notes: text(b, "notes"),
		ConfigurationID: text(b, "configuration", "id"), ConfigurationStatus: text(b, "configuration", "status"),
		AccountID: text(b, "configuration", "account", "id"), ProductID: text(b, "configuration", "product", "id"),
		ParentID: text(b, "parent_configuration", "id"), TemplateID: text(b, "template", "id"),
		Params: params, ParamErrors: faults, JSON: r.json(),
	}
}

// values are the values and the errors of parameters, by id.
func values(params []object) (set, faults map[string]string) {
	set, faults = map[string]string{}, map[string]string{}
	for _, p := range params {
		set[text(p, "id")] = text(p, "value")
		faults[text(p, "id")] = text(p, "value_error")
	}
	maps.DeleteFunc(faults, func(_, v string) bool { return v == "" })
	return set, faults
}

func date(v any) time.Time {
	t, _ := parseTime(v)
	return t
}
