package connectsim

// tierConfig finds or makes the configuration of a reseller for a product.
func (s *Server) tierConfig(product *record, account object, level int, kind string) object {
	for _, r := range s.tierConfigs.rows {
		if isConfigOf(r.body, product.id, text(account, "id")) {
			return fork(r.body)
		}
	}
	params := []any{}
	for _, r := range s.part(product.id, "parameters").rows {
		scope, phase := text(r.body, "scope"), text(r.body, "phase")
		if scope == tierScope(object{"tier_level": level}) && phase != phaseConfiguration {
			params = append(params, paramObject(r.body))
		}
	}
	return object{
		"id": "TC-" + s.digits(), "name": "Configuration of " + text(account, "name"), "status": assetProcessing,
		"tier_level": level, "account": account, "product": productRef(product.body), "connection": connection(kind),
		"contract": contract(), "marketplace": marketplace(), "params": params, "open_request": nil, "template": nil,
		"configuration": object{"params": []any{}}, "events": events(s.now()),
	}
}

func isConfigOf(config object, product, account string) bool {
	return text(config, "product", "id") == product && text(config, "account", "id") == account
}

// openTierRequest stores a request for config. The parameters of config are
// what the request asks for; the stored configuration gets them when it is
// approved.
func (s *Server) openTierRequest(config object, kind, status string) *record {
	now := s.now()
	id := text(config, "id")
	reqID := s.nextID("TCR", id)
	config["open_request"] = object{"id": reqID}
	stored := fork(config)
	if old := s.tierConfigs.byID[id]; old != nil {
		stored["params"] = old.body["params"]
	}
	s.tierConfigs.put(stored)
	tiers := object{"tier1": nil, "tier2": nil}
	tiers[tierScope(config)] = config["account"]
	req := object{
		"id": reqID, "type": kind, "status": status, "environment": text(config, "connection", "type"),
		"configuration": fork(stored), "parent_configuration": nil, "previous_approved_request": s.previousTier(id),
		"params": clone(config["params"]), "assignee": nil, "template": nil, "reason": "", "notes": "",
		"effective_date": nil, "tiers": tiers, "events": events(now),
	}
	if status == statusPending {
		mark(req, "pended", now)
	}
	s.addConversation(reqID, text(config, "name"), now)
	return s.tierRequests.put(req)
}

func (s *Server) previousTier(config string) any {
	var last any
	for _, r := range s.tierRequests.byStatus[statusApproved] {
		if text(r.body, "configuration", "id") == config {
			last = object{"id": r.id}
		}
	}
	return last
}

// settleTier closes a tier request: its configuration changes, and so do the
// purchases that waited for it. req is approved or failed already.
func (s *Server) settleTier(req object, status string) {
	config, err := s.tierConfigs.edit(text(req, "configuration", "id"))
	if err != nil {
		return
	}
	config["status"], config["open_request"] = status, nil
	if inStatus(req, statusApproved) {
		config["params"] = clone(req["params"])
		config["template"] = clone(req["template"])
	}
	touch(config, s.now())
	s.tierConfigs.put(config)
	own := child(req, "configuration")
	own["status"], own["open_request"], own["params"] = status, nil, clone(config["params"])
	s.freeTierRequests(req)
	s.freeRequests(req)
}

// freeTierRequests moves the requests of the first tier that waited for this
// one of the second.
func (s *Server) freeTierRequests(by object) {
	for _, r := range append([]*record(nil), s.tierRequests.byStatus[statusTiersSetup]...) {
		if text(r.body, "parent_configuration", "id") != text(by, "configuration", "id") {
			continue
		}
		req, now := fork(r.body), s.now()
		req["status"] = statusPending
		if inStatus(by, statusFailed) {
			req["status"], req["reason"] = statusFailed, by["reason"]
		} else {
			mark(req, "pended", now)
		}
		touch(req, now)
		s.tierRequests.put(req)
	}
}

// freeRequests moves the purchases through the reseller: to pending once no
// tier request of theirs is open, to failed if this one failed.
func (s *Server) freeRequests(by object) {
	for _, r := range append([]*record(nil), s.requests.byStatus[statusTiersSetup]...) {
		asset := child(r.body, "asset")
		if !servesAsset(child(by, "configuration"), asset) {
			continue
		}
		body := fork(r.body)
		switch {
		case inStatus(by, statusFailed):
			body["reason"] = by["reason"]
			s.settleFailed(body)
		case s.hasOpenTierRequest(asset, text(by, "id")):
			continue
		default:
			body["status"] = statusPending
		}
		touch(body, s.now())
		s.requests.put(body)
	}
}

// servesAsset reports whether config is of the asset's product and of one of
// its resellers.
func servesAsset(config, asset object) bool {
	product := text(asset, "product", "id")
	return isConfigOf(config, product, text(asset, "tiers", "tier1", "id")) ||
		isConfigOf(config, product, text(asset, "tiers", "tier2", "id"))
}

func (s *Server) hasOpenTierRequest(asset object, besides string) bool {
	for _, status := range []string{statusDraft, statusTiersSetup, statusPending, statusInquiring} {
		for _, r := range s.tierRequests.byStatus[status] {
			if r.id != besides && servesAsset(child(r.body, "configuration"), asset) {
				return true
			}
		}
	}
	return false
}

// needsTierSetup reports whether the asset's reseller is new to a product that
// sets up its resellers, or is being set up.
func (s *Server) needsTierSetup(asset object) bool {
	product := s.products.byID[text(asset, "product", "id")]
	reseller := text(asset, "tiers", "tier1", "id")
	if product == nil || reseller == "" || !s.setsUpTiers[product.id] {
		return false
	}
	for _, r := range s.tierConfigs.rows {
		if isConfigOf(r.body, product.id, reseller) {
			return text(r.body, "status") != assetActive
		}
	}
	return true
}

// setUpTiers opens the setup requests that a purchase waits for, unless they
// are there already.
func (s *Server) setUpTiers(asset object) {
	product := s.products.byID[text(asset, "product", "id")]
	if !s.needsTierSetup(asset) || s.hasOpenTierRequest(asset, "") {
		return
	}
	config := s.tierConfig(product, clone(child(asset, "tiers", "tier1")), 1, text(asset, "connection", "type"))
	s.openTierRequest(config, "setup", statusPending)
}
