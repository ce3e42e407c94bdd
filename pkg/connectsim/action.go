package connectsim

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// The actions on a request: each checks the state, then the body, and changes
// req, which is a copy that is thrown away on an error.

func (s *Server) approve(req object, c *call) error {
	if !inStatus(req, statusPending, statusInquiring) {
		return transition("Only pending and inquiring requests can be approved.")
	}
	if err := s.useTemplate(req, c.body, "fulfillment"); err != nil {
		return err
	}
	if req["activation_key"] == "" {
		return refuse("REQ_005", "Missed fields: template_id or activation_tile.")
	}
	date, err := effectiveDate(c.body, s.now())
	if err != nil {
		return err
	}
	params := rows(req, "asset", "params")
	if empty := emptyRequired(params, phaseFulfillment); len(empty) > 0 && !s.opts.AllowEmptyRequired {
		return transition("Required fulfillment parameters are empty: %s.", strings.Join(empty, ", "))
	}
	req["status"], req["effective_date"] = statusApproved, date
	delete(req, "params_form_url")
	s.settleApproved(req)
	return nil
}

func inStatus(o object, statuses ...string) bool { return slices.Contains(statuses, text(o, "status")) }

// useTemplate takes the template or the tile of the body into the request.
// With neither it changes nothing: inquiring needs none.
func (s *Server) useTemplate(req, body object, kind string) error {
	req["activation_key"] = ""
	if id := text(body, "template_id"); id != "" {
		t, err := s.template(text(req, "asset", "product", "id"), id, "asset", kind)
		if err != nil {
			return err
		}
		req["template"] = object{"id": t["id"], "name": t["name"]}
		req["activation_key"] = or(render(text(t, "body"), rows(req, "asset", "params")), text(t, "name"))
		return nil
	}
	req["activation_key"] = text(body, "activation_tile")
	return nil
}

// effectiveDate is the date that the body asks for, else now.
func effectiveDate(body object, now string) (string, error) {
	given := body["effective_date"]
	if given == nil || given == "" {
		return now, nil
	}
	if t, ok := parseTime(given); ok {
		return stamp(t), nil
	}
	return "", badDate("effective_date")
}

func badDate(field string) *Error {
	return invalid(field, "Datetime has wrong format. Use one of these formats instead: "+
		"YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].")
}

func parseTime(v any) (time.Time, bool) {
	given, _ := v.(string)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, given); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (s *Server) fail(req object, c *call) error {
	reason := text(c.body, "reason")
	if strings.TrimSpace(reason) == "" {
		return refuse("REQ_005", "Missed fields: reason.")
	}
	// Connect's text speaks of pending alone; its states allow both.
	if !inStatus(req, statusPending, statusInquiring) {
		return transition("Only pending requests can be failed.")
	}
	req["reason"] = reason
	s.settleFailed(req)
	return nil
}

func (s *Server) inquire(req object, c *call) error {
	if !inStatus(req, statusPending) {
		return transition("Only pending requests can be moved to inquiring status.")
	}
	wrong := func(p object) bool { return text(p, "value_error") != "" }
	if !slices.ContainsFunc(rows(req, "asset", "params"), wrong) {
		return transition("For marking request to inquiring status at least one parameter should be marked as invalid.")
	}
	if err := s.useTemplate(req, c.body, "inquire"); err != nil {
		return err
	}
	req["status"], req["answered"] = statusInquiring, false
	req["params_form_url"] = (&url.URL{Scheme: "http", Host: or(c.host, "localhost"), Path: "/_sim/forms/" + text(req, "id")}).String()
	return nil
}

func (s *Server) pend(req object, _ *call) error {
	if !inStatus(req, statusInquiring) {
		return transition("Only inquiring requests can be moved to pending status.")
	}
	req["status"] = statusPending
	delete(req, "params_form_url")
	return nil
}

func (s *Server) schedule(req object, c *call) error {
	if !inStatus(req, statusPending) {
		return transition("Only pending requests can be scheduled.")
	}
	planned, ok := parseTime(c.body["planned_date"])
	if !ok {
		return badDate("planned_date")
	}
	req["status"], req["planned_date"] = statusScheduled, stamp(planned)
	return nil
}

func (s *Server) revoke(req object, c *call) error {
	if !inStatus(req, statusScheduled) {
		return transition("Only scheduled requests can be revoked.")
	}
	reason := text(c.body, "reason")
	if reason == "" {
		return refuse("REQ_005", "Missed fields: reason.")
	}
	req["status"], req["reason"] = statusRevoking, reason
	return nil
}

func (s *Server) confirm(req object, c *call) error {
	if s.opts.ConfirmSubmitsDraft && inStatus(req, statusDraft) {
		return s.submit(req, c)
	}
	if !inStatus(req, statusRevoking) {
		return transition("Only revoking requests can be confirmed.")
	}
	req["status"] = statusRevoked
	s.restoreAsset(req)
	return nil
}

func (s *Server) submit(req object, _ *call) error {
	if !inStatus(req, statusDraft) {
		return transition("Only draft requests can be submitted.")
	}
	req["status"] = s.firstStatus(child(req, "asset"))
	return nil
}

func (s *Server) validate(req object, c *call) error {
	if !inStatus(req, statusDraft, statusInquiring, statusPending) {
		return transition("Only draft, inquiring and pending requests can be validated.")
	}
	return s.setParams(rows(req, "asset", "params"), at(c.body, "asset", "params"))
}

func (s *Server) assign(o object, c *call) error {
	id, email := text(c.body, "id"), text(c.body, "email")
	if id == "" && email == "" {
		return refuse("REQ_005", "Missed fields: id or email.")
	}
	o["assignee"] = object{"id": or(id, "UR-000-000-001"), "name": or(email, id), "email": email}
	return nil
}

func (s *Server) unassign(o object, _ *call) error {
	o["assignee"] = ""
	return nil
}
