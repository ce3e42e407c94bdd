package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/redact"
)

// Errors of edited bodies.
var (
	// ErrBody: the body is not about the letter's request. The service would
	// refuse it.
	ErrBody = errors.New("the body is not about the letter's request: its ids and its type must stay")
	// ErrUnchanged: the draft came back as it was.
	ErrUnchanged = errors.New("nothing was changed")
	// ErrMasked: the edited body still has a masked value in a place where the
	// original has none, so that the mask itself would be sent.
	ErrMasked = errors.New("a masked value is not where it was: edit what is revealed")
)

// Draft is a letter's body for an operator to edit.
type Draft struct {
	Text []byte // indented JSON, or what the body was
	view View
}

// NewDraft makes a draft of a view. A masked body that is not JSON can't be
// edited, as nobody could tell where the masked values belong: ErrMasked.
func NewDraft(v View) (*Draft, error) {
	d := &Draft{view: v}
	if len(v.Entry.Body) == 0 {
		return nil, fmt.Errorf("edit %s: the letter has no body", v.ID)
	}
	raw, valid := decodeBody(v.Entry.Body)
	switch {
	case !valid && v.Masked && v.Body != string(v.Entry.Body):
		return nil, fmt.Errorf("edit %s: %w", v.ID, ErrMasked)
	case !valid:
		d.Text = v.Entry.Body
	case v.Masked && !same(v.Body, raw):
		d.Text = encode(v.Body, "  ")
	default: // nothing is hidden: it stays as it was sent
		var b bytes.Buffer
		_ = json.Indent(&b, v.Entry.Body, "", "  ") // it is valid
		d.Text = append(b.Bytes(), '\n')
	}
	return d, nil
}

// Take returns the body to send for the edited text, with the masked values
// that were left alone as they were. It fails with ErrUnchanged, ErrMasked,
// ErrBody, or with what is wrong with the JSON and where.
func (d *Draft) Take(edited []byte) ([]byte, error) {
	if bytes.Equal(bytes.TrimSpace(edited), bytes.TrimSpace(d.Text)) {
		return nil, ErrUnchanged
	}
	return Unmask(d.view, edited)
}

// Unmask returns the body to send for one that was made of the view by other
// means, a file for one; it is what Take does.
func Unmask(view View, edited []byte) ([]byte, error) {
	v, err := decodeJSON(edited)
	if err != nil {
		return nil, err
	}
	body := edited
	if raw, valid := decodeBody(view.Entry.Body); valid {
		if view.Masked {
			if v, err = unmask(v, view.Body, raw, ""); err != nil {
				return nil, err
			}
			if !same(view.Body, raw) {
				body = encode(v, "")
			}
		}
		if same(v, raw) {
			return nil, ErrUnchanged
		}
	}
	if err := sameRequest(view.Entry, body); err != nil {
		return nil, err
	}
	return body, nil
}

// unmask puts the original values back where the masked ones were left alone.
// Elements of lists that have an id are found by it, wherever they are now.
func unmask(edited, masked, raw any, path string) (any, error) {
	switch now := edited.(type) {
	case string:
		if now == masked && masked != raw {
			return raw, nil
		}
		if was, _ := raw.(string); strings.Contains(now, redact.Mark) && !strings.Contains(was, redact.Mark) {
			return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(path, "."), ErrMasked)
		}
	case map[string]any:
		was, _ := masked.(map[string]any)
		orig, _ := raw.(map[string]any)
		for key := range now {
			v, err := unmask(now[key], was[key], orig[key], path+"."+key)
			if err != nil {
				return nil, err
			}
			now[key] = v
		}
	case []any:
		was, _ := masked.([]any)
		orig, _ := raw.([]any)
		for i := range now {
			var m, r any
			if at := counterpart(was, now[i], i); at >= 0 && at < len(orig) {
				m, r = was[at], orig[at]
			}
			v, err := unmask(now[i], m, r, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			now[i] = v
		}
	}
	return edited, nil
}

// counterpart is the index in was of the element that has the id of v, else i
// itself; -1 if there is none.
func counterpart(was []any, v any, i int) int {
	id := idOf(v)
	if id == "" {
		if i < len(was) && idOf(was[i]) == "" {
			return i
		}
		return -1
	}
	for at := range was {
		if idOf(was[at]) == id {
			return at
		}
	}
	return -1
}

func idOf(v any) string {
	o, _ := v.(map[string]any)
	id, _ := o["id"].(string)
	return id
}

// sameRequest reports whether the services would take the body for one about
// the letter's request.
func sameRequest(e Entry, body []byte) error {
	if _, err := decodeJSON(body); err != nil {
		return err
	}
	if bytes.Contains(body, []byte(redact.Mark)) && !bytes.Contains(e.Body, []byte(redact.Mark)) {
		return ErrMasked
	}
	if e.Stream == fulfillment.StreamResults {
		var r fulfillment.Result
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("read the result: %w", err)
		}
		if r.Key() != e.Key() || r.Episode != e.Episode {
			return ErrBody
		}
		return nil
	}
	type ref struct {
		ID      string `json:"id"`
		Product struct {
			ID string `json:"id"`
		} `json:"product"`
	}
	var said struct {
		ID            string `json:"id"`
		Type          string `json:"type"`
		Asset         ref    `json:"asset"`
		Configuration ref    `json:"configuration"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	key := fulfillment.Key{Type: fulfillment.Type(said.Type), Product: said.Asset.Product.ID, Asset: said.Asset.ID, Request: said.ID}
	if e.Type.Tier() {
		key = fulfillment.Key{
			Type: fulfillment.TierType(said.Type), Product: said.Configuration.Product.ID, Asset: said.Configuration.ID, Request: said.ID,
		}
	}
	if key != e.Key() {
		return ErrBody
	}
	return nil
}
