package stream

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
)

// None reports whether stream has no message that matches any of filters (wildcards
// allowed), in one question for all. False may also mean that this can't be told
// so: a cluster and an older broker say nothing of the kind. Then Last tells.
func (c *Client) None(ctx context.Context, stream string, filters []string) (bool, error) {
	if c.clustered() { // any replica would answer; see get
		return false, nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := c.awaitConnected(ctx); err != nil {
		return false, fmt.Errorf("look for any of %d in %s: %w", len(filters), stream, err)
	}
	data, err := json.Marshal(struct {
		Filters []string `json:"multi_last"`
		Most    int      `json:"batch"` // the first answer says enough
	}{filters, 1})
	if err != nil {
		return false, err
	}
	m, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: "$JS.API.DIRECT.GET." + stream, Data: data})
	if err != nil {
		return false, fmt.Errorf("look for any of %d in %s: %w", len(filters), stream, asNoStream(err))
	}
	// A message that is there and can't be read has the same status.
	return m.Header.Get("Status") == "404" && m.Header.Get("Description") == "No Results", nil
}
