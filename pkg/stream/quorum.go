package stream

import (
	"context"
	"time"
)

const (
	// pingEvery and pingsMissed bound how long a node that says no good-bye, as
	// one that lost its power, is taken to be there: 15 s.
	pingEvery   = 5 * time.Second
	pingsMissed = 2

	// nodeEvery, nodeTimeout and nodeMisses say when a node is left that is there
	// and has lost the others: after 15 to 25 s, which an election does not take.
	nodeEvery   = 5 * time.Second
	nodeTimeout = 3 * time.Second
	nodeMisses  = 3

	heardEvery = 50 * time.Millisecond
)

// watchNode leaves a node of a cluster that does not reach a majority of the
// others. It keeps its clients then, and can store nothing for them.
func (c *Client) watchNode() {
	tick := time.NewTicker(nodeEvery)
	defer tick.Stop()
	for misses := 0; ; {
		select {
		case <-c.closed:
			return
		case <-tick.C:
		}
		if !c.nc.IsConnected() || !c.clustered() || len(c.nc.Servers()) < 2 || c.knowsLeader() {
			misses = 0
			continue
		}
		if misses++; misses < nodeMisses {
			continue
		}
		misses = 0
		c.log.WithField("server", c.nc.ConnectedAddr()).Warn("node of the broker's cluster has lost the others; trying another")
		if err := c.nc.ForceReconnect(); err != nil {
			c.log.WithError(err).Debug("node could not be left")
		}
	}
}

// knowsLeader reports whether the leader of the cluster answers.
func (c *Client) knowsLeader() bool {
	ctx, cancel := context.WithTimeout(context.Background(), nodeTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := c.js.AccountInfo(ctx)
	return err == nil
}

// heardByMost reports, within patience, whether a majority of the consumer's
// replicas spoke to its leader after since. A leader that was cut off from them
// goes on answering for up to 20 s, while they choose another that knows nothing
// of what it was told.
func (s *subscription) heardByMost(ctx context.Context, since time.Time, patience time.Duration) bool {
	if !s.client.clustered() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		asked := time.Now()
		info, err := s.client.lookup(ctx, s.durable)
		if err != nil {
			return false
		}
		if info.Cluster == nil || len(info.Cluster.Replicas) == 0 {
			return true
		}
		heard := 1 // the leader itself
		for _, p := range info.Cluster.Replicas {
			if p.Active > 0 && asked.Add(-p.Active).After(since) {
				heard++
			}
		}
		if heard > (1+len(info.Cluster.Replicas))/2 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(heardEvery):
		}
	}
}
