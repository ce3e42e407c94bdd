// Package gen writes what other teams read of the events from one source: the
// catalogue in pkg/fulfillment and the schema that all events share. It writes the
// schema of each event, examples, the AsyncAPI document and the page of the
// documentation. It performs no I/O; its test compares what it writes with the
// files, and writes them with UPDATE_GOLDEN=1.
package gen

import (
	"fmt"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/schemas"
)

// Files is everything that is generated, by its path from the repository's top.
func Files() (map[string][]byte, error) {
	text, err := schemas.Get(fulfillment.SchemaEvent)
	if err != nil {
		return nil, err
	}
	base, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", fulfillment.SchemaEvent, err)
	}
	files := map[string][]byte{}
	for _, f := range fulfillment.Facts() {
		name := fulfillment.EventSchema(f.Event)
		if files["schemas/"+name], err = pretty(eventSchema(base, f)); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		for _, e := range examples(f) {
			stem := "schemas/examples/" + strings.TrimSuffix(name, ".json") + "." + e.name
			if files[stem+".json"], err = pretty(e.body); err != nil {
				return nil, fmt.Errorf("write example %s of %s: %w", e.name, name, err)
			}
			if files[stem+".headers.json"], err = pretty(e.header()); err != nil {
				return nil, fmt.Errorf("write headers of example %s of %s: %w", e.name, name, err)
			}
		}
	}
	if files["schemas/asyncapi.json"], err = pretty(asyncAPI()); err != nil {
		return nil, fmt.Errorf("write the AsyncAPI document: %w", err)
	}
	files["docs/reference/events.md"] = page(base)
	return files, nil
}
