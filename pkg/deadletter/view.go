package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
	"github.com/headrace/headrace/pkg/stream"
)

// View is a dead letter as it may be shown.
type View struct {
	Entry
	// Headers are the original message's.
	Headers map[string][]string `json:"headers,omitempty"`
	// Body is the original message's: what its JSON decodes to (numbers are
	// json.Number), else text. It is nil if it is neither.
	Body any `json:"body"`
	// Base64 is a body that is not text.
	Base64 []byte `json:"body_base64,omitempty"`
	// Masked says that values of password parameters, and what looks like a
	// credential, are replaced by redact.Mark, in a Base64, too.
	Masked bool `json:"masked"`
}

// Mask returns what may be shown of the letter to whoever may see the request
// in Connect. It reads the request, where the letter itself does not tell which
// parameters are passwords.
func Mask(ctx context.Context, r Reader, e Entry) (View, error) {
	secrets, err := secretsOf(ctx, r, e)
	if err != nil {
		return View{}, fmt.Errorf("mask dead letter %s: %w", e.ID, err)
	}
	v := View{Entry: e, Masked: true}
	v.Reason = secrets.Text(e.told)
	for name, values := range e.Headers {
		if v.Headers == nil {
			v.Headers = map[string][]string{}
		}
		for _, value := range values {
			v.Headers[name] = append(v.Headers[name], secrets.Header(name, value))
		}
	}
	if body, ok := secrets.Body(e.Body); ok {
		v.Body = body
		return v, nil
	}
	v.setBytes(secrets.Bytes(e.Body))
	return v, nil
}

// Reveal returns all of the letter, passwords as well, after that is recorded
// with the name of who asked for it. If it can't be recorded, nothing is
// revealed.
func Reveal(ctx context.Context, o Operator, e Entry, by string) (View, error) {
	deed := &fulfillment.Deed{Deed: fulfillment.DeedRevealed, By: by, Letter: e.position(), Stage: e.Stage}
	if err := putRecord(ctx, o, e, deed, time.Now().UTC()); err != nil {
		return View{}, fmt.Errorf("reveal %s: nothing is revealed, as that could not be recorded: %w", e.ID, err)
	}
	v := View{Entry: e, Headers: e.Headers}
	v.Reason = e.told
	if body, ok := decodeBody(e.Body); ok {
		v.Body = body
		return v, nil
	}
	v.setBytes(e.Body)
	return v, nil
}

func (v *View) setBytes(b []byte) {
	if utf8.Valid(b) {
		v.Body = string(b)
		return
	}
	v.Base64 = b
}

// secretsOf are the values that no view of the letter may show. Results have no
// types: which of their parameters are passwords is told by the request.
func secretsOf(ctx context.Context, r Reader, e Entry) (*redact.Secrets, error) {
	secrets := new(redact.Secrets)
	if e.Stream == fulfillment.StreamResults && e.Episode != 0 {
		m, err := r.Get(ctx, fulfillment.StreamRequests, e.Episode)
		if err != nil && !errors.Is(err, stream.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			secrets.JSON(m.Body)
		}
	}
	secrets.JSON(e.Body)
	for _, done := range e.Headers[fulfillment.HeaderDone] {
		secrets.JSON([]byte(done))
	}
	return secrets, nil
}

func decodeBody(body []byte) (any, bool) {
	v, err := decodeJSON(body)
	return v, err == nil
}
