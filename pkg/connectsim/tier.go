package connectsim

import (
	"net/http"
	"strings"
)

func (s *Server) routeTiers(mux *http.ServeMux) {
	s.collectionOf(mux, "/tier/config-requests", func() *collection { return s.tierRequests })
	s.collectionOf(mux, "/tier/configs", func() *collection { return s.tierConfigs })
	s.collectionOf(mux, "/tier/accounts", func() *collection { return s.tierAccounts })
	s.collectionOf(mux, "/tier/account-requests", func() *collection { return s.tierAccRequests })
	mux.HandleFunc("POST /tier/config-requests", s.write(s.createTierRequest))
	mux.HandleFunc("PUT /tier/config-requests/{id}", s.write(s.updateTierRequest))
	for action, e := range map[string]func(object, *call) (answer, error){
		"approve": s.approveTier, "fail": s.failTier, "inquire": s.inquireTier, "pend": s.pendTier,
		"submit": s.submitTier, "validate": s.validateTier,
		"assign": s.silently(s.assign), "unassign": s.silently(s.unassign),
	} {
		mux.HandleFunc("POST /tier/config-requests/{id}/"+action, s.write(func(c *call) (answer, error) {
			return s.changeTierRequest(c, e)
		}))
	}
}

// changeTierRequest is changeRequest for tier requests, whose actions answer
// each in its own way: an answer without anything in it is 204.
func (s *Server) changeTierRequest(c *call, action func(object, *call) (answer, error)) (answer, error) {
	req, err := s.tierRequests.edit(c.id)
	if err != nil {
		return answer{}, err
	}
	a, err := action(req, c)
	if err != nil {
		return answer{}, err
	}
	touch(req, s.now())
	s.tierRequests.put(req)
	return a, nil
}

// silently answers 204, whatever action did.
func (s *Server) silently(action func(object, *call) error) func(object, *call) (answer, error) {
	return func(req object, c *call) (answer, error) { return answer{}, action(req, c) }
}

// refuseTier is Connect's one answer to every wrong transition.
func refuseTier() *Error {
	return refuse("TC_006", "Tier configuration request status transition is not allowed.")
}

func (s *Server) updateTierRequest(c *call) (answer, error) {
	_, err := s.changeTierRequest(c, func(req object, c *call) (answer, error) {
		if !inStatus(req, statusPending) {
			return answer{}, refuseTier()
		}
		if notes, ok := c.body["notes"].(string); ok {
			req["notes"] = notes
		}
		return answer{}, s.setParams(rows(req, "params"), c.body["params"])
	})
	return answer{record: s.tierRequests.byID[c.id]}, err
}

func (s *Server) approveTier(req object, c *call) (answer, error) {
	if !inStatus(req, statusPending, statusInquiring) {
		return answer{}, refuseTier()
	}
	used, err := s.tierTemplate(req, child(c.body, "template"))
	if err != nil {
		return answer{}, err
	}
	date, err := effectiveDate(child(c.body, "template"), s.now())
	if err != nil {
		return answer{}, err
	}
	empty := emptyRequired(rows(req, "params"), phaseFulfillment)
	if len(empty) > 0 && !s.opts.AllowEmptyRequired {
		return answer{}, refuse("TC_006", "Required fulfillment parameters are empty: %s.", strings.Join(empty, ", "))
	}
	req["status"], req["effective_date"] = statusApproved, date
	if used["id"] != nil {
		req["template"] = object{"id": used["id"]}
	}
	s.settleTier(req, assetActive)
	return answer{value: object{"template": used, "effective_date": date}}, nil
}

// tierTemplate is what the body names: a template of the configuration's
// level, or its text itself.
func (s *Server) tierTemplate(req, given object) (object, error) {
	params := rows(req, "params")
	if id := text(given, "id"); id != "" {
		t, err := s.template(text(req, "configuration", "product", "id"), id, tierScope(child(req, "configuration")), "fulfillment")
		if err != nil {
			return nil, err
		}
		return object{"id": id, "representation": render(text(t, "body"), params)}, nil
	}
	if tile := text(given, "representation"); tile != "" {
		return object{"id": nil, "representation": tile}, nil
	}
	return nil, invalid("template", "This field is required.")
}

// tierScope is tier1 or tier2, by the configuration's level.
func tierScope(config object) string {
	if level, _ := config["tier_level"].(int); level == 2 {
		return "tier2"
	}
	return "tier1"
}

func (s *Server) failTier(req object, c *call) (answer, error) {
	if strings.TrimSpace(text(c.body, "reason")) == "" {
		return answer{}, invalid("reason", "This field is required.")
	}
	if !inStatus(req, statusPending, statusInquiring) {
		return answer{}, refuseTier()
	}
	req["status"], req["reason"] = statusFailed, c.body["reason"]
	status := text(s.tierConfigs.byID[text(req, "configuration", "id")].body, "status")
	if status != assetActive {
		status = s.opts.TierConfigAfterFail
	}
	s.settleTier(req, status)
	return answer{}, nil
}

func (s *Server) inquireTier(req object, _ *call) (answer, error) {
	if !inStatus(req, statusPending) {
		return answer{}, refuseTier()
	}
	req["status"] = statusInquiring
	mark(req, "inquired", s.now())
	return answer{}, nil
}

func (s *Server) pendTier(req object, _ *call) (answer, error) {
	if !inStatus(req, statusInquiring) {
		return answer{}, refuseTier()
	}
	req["status"] = statusPending
	mark(req, "pended", s.now())
	return answer{}, nil
}

func (s *Server) submitTier(req object, _ *call) (answer, error) {
	if !inStatus(req, statusDraft) {
		return answer{}, refuseTier()
	}
	req["status"] = statusPending
	mark(req, "pended", s.now())
	return answer{value: req}, nil
}

func (s *Server) validateTier(req object, c *call) (answer, error) {
	if !inStatus(req, statusDraft, statusPending, statusInquiring) {
		return answer{}, refuseTier()
	}
	return answer{value: req}, s.setParams(rows(req, "params"), c.body["params"])
}

func (s *Server) createTierRequest(c *call) (answer, error) {
	config, err := s.tierConfigs.edit(text(c.body, "configuration", "id"))
	if err != nil {
		return answer{}, invalid("configuration", "Tier configuration %q does not exist.", text(c.body, "configuration", "id"))
	}
	if open := text(config, "open_request", "id"); open != "" {
		return answer{}, invalid("configuration", "Tier configuration has an open request %s.", open)
	}
	kind := or(text(c.body, "type"), "update")
	if kind != "update" && kind != typeAdjustment {
		return answer{}, invalid("type", "%q is not a valid choice.", kind)
	}
	params := rows(clone(config["params"]))
	config["params"] = array(params)
	if err := s.setParams(params, c.body["params"]); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, record: s.openTierRequest(config, kind, statusPending)}, nil
}
