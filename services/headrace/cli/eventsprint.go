package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// printEvent prints one event on a line of its own, as soon as it is there.
func (p *Program) printEvent(t *tailed, m *stream.Stored) error {
	if !t.out.json() {
		return printf(p.Stdout, "%s\n", eventLine(m))
	}
	line, err := json.Marshal(cloudEvent(m))
	if err != nil {
		return fmt.Errorf("print event %d: %w", m.Sequence, err)
	}
	return printf(p.Stdout, "%s\n", line)
}

// eventLine is an event for a person. The columns are wide enough for what is
// usual: nobody knows the longest of what is to come.
func eventLine(m *stream.Stored) string {
	var e fulfillment.EventBody
	if err := json.Unmarshal(m.Body, &e); err != nil {
		return fmt.Sprintf("%s  %s  (not to be read: %s)", m.Time.UTC().Format(time.RFC3339), clean(m.Subject), clean(err.Error()))
	}
	line := fmt.Sprintf("%s  %-11s %-15s %-18s %-22s %s", e.Time.UTC().Format(time.RFC3339), e.Event, e.Type, orDash(e.AssetID), e.RequestID, e.Reason)
	return strings.TrimRight(clean(line), " ")
}

// cloudEvent is a message as a CloudEvent in structured mode: its attributes
// and the body. Two extensions say where it is stored.
func cloudEvent(m *stream.Stored) map[string]any {
	out := map[string]any{"natssubject": m.Subject, "natssequence": m.Sequence}
	for name, value := range m.Header {
		attribute, ok := strings.CutPrefix(name, "ce-")
		if !ok {
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		out[attribute] = value
	}
	if json.Valid(m.Body) {
		out["data"] = json.RawMessage(m.Body)
	} else {
		out["data_base64"] = m.Body
	}
	return out
}
