package connectsim

// settleApproved moves the asset on after its request was approved.
func (s *Server) settleApproved(req object) {
	asset, err := s.assets.edit(text(req, "asset", "id"))
	if err != nil {
		return
	}
	status := text(asset, "status")
	switch text(req, "type") {
	case typePurchase, typeResume:
		status = assetActive
	case typeSuspend:
		status = assetSuspended
	case typeCancel:
		status = assetTerminated
	}
	own := child(req, "asset")
	asset["status"], own["status"] = status, status
	// The request's copy goes on changing with the request, so each has its own.
	asset["params"], asset["items"] = clone(own["params"]), clone(own["items"])
	if t := child(req, "template"); t != nil {
		asset["template"] = clone(t)
	}
	s.putAsset(asset, text(req, "id"))
}

// settleFailed makes req failed: a purchase ends its asset, anything else
// leaves it as it was before.
func (s *Server) settleFailed(req object) {
	req["status"] = statusFailed
	delete(req, "params_form_url")
	if text(req, "type") != typePurchase {
		s.restoreAsset(req)
		return
	}
	if asset, err := s.assets.edit(text(req, "asset", "id")); err == nil {
		asset["status"], child(req, "asset")["status"] = assetTerminated, assetTerminated
		s.putAsset(asset, text(req, "id"))
	}
}

func (s *Server) restoreAsset(req object) {
	id := text(req, "id")
	before, ok := s.oldStatus[id]
	if !ok {
		return
	}
	delete(s.oldStatus, id)
	if asset, err := s.assets.edit(text(req, "asset", "id")); err == nil {
		asset["status"], child(req, "asset")["status"] = before, before
		s.putAsset(asset, id)
	}
}

// putAsset stores the asset and lets its other open requests see its status
// and the vendor's parameters: an adjustment may have changed them.
func (s *Server) putAsset(asset object, by string) {
	touch(asset, s.now())
	s.assets.put(asset)
	for _, id := range s.byAsset[text(asset, "id")] {
		r := s.requests.byID[id]
		if id == by || r.loose || isTerminal(text(r.body, "status")) {
			continue
		}
		body := fork(r.body)
		own := child(body, "asset")
		own["status"] = asset["status"]
		from := rows(asset, "params")
		for _, p := range rows(own, "params") {
			if changed := find(from, "id", text(p, "id")); changed != nil && text(p, "phase") == phaseFulfillment {
				p["value"] = changed["value"]
			}
		}
		s.requests.put(body)
	}
}
