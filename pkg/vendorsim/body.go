package vendorsim

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A body is what POST and PUT send. A nil pointer was not sent.
type body struct {
	ExternalID string         `json:"externalId"`
	RequestID  string         `json:"requestId"`
	Product    *Product       `json:"product"`
	Items      []Item         `json:"items"`
	Customer   *Customer      `json:"customer"`
	Parameters map[string]any `json:"parameters"`
}

// readBody returns the body, or the answer that refuses it.
func readBody(data []byte) (*body, *answer) {
	var b *body
	err := json.Unmarshal(data, &b)
	switch {
	case errors.Is(err, errRule):
		return nil, refusal(http.StatusUnprocessableEntity, "%v", err)
	case err != nil:
		return nil, refusal(http.StatusBadRequest, "the body cannot be read: %v", err)
	case b == nil:
		return nil, refusal(http.StatusBadRequest, "the body is null")
	}
	for _, value := range b.words() {
		if why, ok := strings.CutPrefix(value, "reject"); ok && (why == "" || why[0] == ':') {
			why = strings.TrimSpace(strings.TrimPrefix(why, ":"))
			if why == "" {
				why = "the order is rejected"
			}
			return nil, refusal(http.StatusUnprocessableEntity, "%s", why)
		}
	}
	if _, err := b.slow(); err != nil {
		return nil, refusal(http.StatusUnprocessableEntity, "%v", err)
	}
	return b, nil
}

// words returns the parameters' values that are strings, in an order that does not change.
func (b *body) words() []string {
	var words []string
	for _, value := range b.Parameters {
		if s, ok := value.(string); ok {
			words = append(words, s)
		}
	}
	slices.Sort(words)
	return words
}

// status is the status that a parameter asks for, or "ready".
func (b *body) status() string {
	for _, value := range b.words() {
		if status, ok := strings.CutPrefix(value, "status:"); ok {
			return strings.TrimSpace(status)
		}
	}
	return StatusReady
}

// slow is how long a parameter asks the vendor to take, or 0.
func (b *body) slow() (time.Duration, error) {
	for _, value := range b.words() {
		if given, ok := strings.CutPrefix(value, "slow:"); ok {
			return time.ParseDuration(strings.TrimSpace(given))
		}
	}
	return 0, nil
}

// apply writes to the tenant what the body has, as of now.
func (b *body) apply(t *Tenant, now time.Time) {
	if slow, _ := b.slow(); slow > 0 { // readBody has refused what cannot be read
		t.ReadyAt = now.Add(slow)
	}
	t.RequestID, t.Items, t.Status = b.RequestID, b.Items, b.status()
	if b.ExternalID != "" {
		t.ExternalID = b.ExternalID
	}
	if b.Product != nil {
		t.Product = *b.Product
	}
	if b.Customer != nil {
		t.Customer = *b.Customer
	}
	if b.Parameters != nil {
		t.Parameters = b.Parameters
	}
}
