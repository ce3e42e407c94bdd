package connectsim

import "net/http"

// The statuses of a request.
const (
	statusDraft      = "draft"
	statusTiersSetup = "tiers_setup"
	statusPending    = "pending"
	statusInquiring  = "inquiring"
	statusApproved   = "approved"
	statusFailed     = "failed"
	statusScheduled  = "scheduled"
	statusRevoking   = "revoking"
	statusRevoked    = "revoked"
)

// The types of request that move an asset in a way of their own. Others are
// taken too.
const (
	typePurchase   = "purchase"
	typeChange     = "change"
	typeCancel     = "cancel"
	typeSuspend    = "suspend"
	typeResume     = "resume"
	typeAdjustment = "adjustment"
	typeRenew      = "renew"
	typeTransfer   = "transfer"
)

func isTerminal(status string) bool {
	return status == statusApproved || status == statusFailed || status == statusRevoked
}

func (s *Server) routeRequests(mux *http.ServeMux) {
	s.collectionOf(mux, "/requests", func() *collection { return s.requests })
	mux.HandleFunc("POST /requests", s.write(s.createRequest))
	mux.HandleFunc("PUT /requests/{id}", s.write(s.updateRequest))
	mux.HandleFunc("GET /requests/{id}/render", s.read(func(c *call) (answer, error) {
		r, err := s.requests.get(c.id)
		if err != nil {
			return answer{}, err
		}
		body := text(r.body, "activation_key")
		return answer{markdown: &body}, nil
	}))
	for action, e := range map[string]func(object, *call) error{
		"approve": s.approve, "fail": s.fail, "inquire": s.inquire, "pend": s.pend,
		"schedule": s.schedule, "revoke": s.revoke, "confirm": s.confirm,
		"purchase": s.submit, "submit": s.submit, "validate": s.validate,
		"assign": s.assign, "unassign": s.unassign,
	} {
		mux.HandleFunc("POST /requests/{id}/"+action, s.write(func(c *call) (answer, error) {
			return s.changeRequest(c, e)
		}))
	}
}

// changeRequest runs an action on a copy of the request, and stores the copy
// if all went well: an action takes place as a whole or not at all.
func (s *Server) changeRequest(c *call, action func(object, *call) error) (answer, error) {
	req, err := s.requests.edit(c.id)
	if err != nil {
		return answer{}, err
	}
	if err := action(req, c); err != nil {
		return answer{}, err
	}
	touch(req, s.now())
	return answer{record: s.requests.put(req)}, nil
}

// updateRequest sets parameters and the note; whatever else the body holds is
// ignored, as Connect does.
func (s *Server) updateRequest(c *call) (answer, error) {
	return s.changeRequest(c, func(req object, c *call) error {
		status := text(req, "status")
		open := s.opts.Validation && (status == statusDraft || status == statusInquiring)
		if status != statusPending && !open {
			return transition("Only pending, draft or inquiring Fulfillments with enabled validation capability can be updated.")
		}
		if note, ok := c.body["note"].(string); ok {
			req["note"] = note
		}
		asset := child(req, "asset")
		if err := s.setParams(rows(asset, "params"), at(c.body, "asset", "params")); err != nil {
			return err
		}
		s.shareParams(asset)
		return nil
	})
}

// shareParams writes the fulfillment parameters of a request, which are the
// vendor's own facts, to the asset itself.
func (s *Server) shareParams(from object) {
	asset, err := s.assets.edit(text(from, "id"))
	if err != nil {
		return
	}
	params := rows(asset, "params")
	for _, p := range rows(from, "params") {
		if to := find(params, "id", text(p, "id")); to != nil && text(p, "phase") == phaseFulfillment {
			to["value"] = p["value"]
		}
	}
	touch(asset, s.now())
	s.assets.put(asset)
}
