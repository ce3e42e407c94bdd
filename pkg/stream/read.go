package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Last returns the last message of stream that matches filter (wildcards
// allowed). It fails with ErrNotFound if there is none, and with ErrNoStream if
// nobody answers for the stream: the two must not be taken for each other. In a
// cluster the stream's leader answers; one that was cut off from the others does
// not know that yet for up to 20 s, so ExpectLast is the guard all the same.
func (c *Client) Last(ctx context.Context, stream, filter string) (*Stored, error) {
	s, err := c.get(ctx, stream, getRequest{LastFor: filter})
	if err != nil {
		return nil, fmt.Errorf("get last of %s in %s: %w", filter, stream, err)
	}
	return s, nil
}

// Get returns the message of that sequence; errors are those of Last.
func (c *Client) Get(ctx context.Context, stream string, seq uint64) (*Stored, error) {
	if seq == 0 {
		return nil, fmt.Errorf("get message 0 of %s: %w", stream, ErrNotFound)
	}
	s, err := c.get(ctx, stream, getRequest{Seq: seq})
	if err != nil {
		return nil, fmt.Errorf("get message %d of %s: %w", seq, stream, err)
	}
	return s, nil
}

// LastSequence returns the sequence of the last message that stream ever had,
// 0 if none, or ErrNoStream.
func (c *Client) LastSequence(ctx context.Context, stream string) (uint64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", stream, asNoStream(err))
	}
	return s.CachedInfo().State.LastSeq, nil
}

func asNoStream(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrNoResponders) {
		return errors.Join(ErrNoStream, err)
	}
	return err
}

type getRequest struct {
	Seq     uint64 `json:"seq,omitempty"`
	LastFor string `json:"last_by_subj,omitempty"`
}

// get asks for one message. The direct API is the fastest, but in a cluster any
// replica answers to it, also one that was away and lags: what was decided
// before would be decided again.
func (c *Client) get(ctx context.Context, stream string, req getRequest) (*Stored, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := c.awaitConnected(ctx); err != nil {
		return nil, err
	}
	data, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	if c.clustered() {
		return c.leaderGet(ctx, stream, data)
	}
	return c.directGet(ctx, stream, data)
}

func (c *Client) directGet(ctx context.Context, stream string, data []byte) (*Stored, error) {
	m, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: "$JS.API.DIRECT.GET." + stream, Data: data})
	if err != nil {
		return nil, asNoStream(err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return nil, ErrNotFound
	default:
		return nil, fmt.Errorf("%w: %s %s", ErrRefused, status, m.Header.Get("Description"))
	}
	s := decode(m.Header.Get(hdrSubject), m.Header, m.Data)
	s.Stream = m.Header.Get(hdrStream)
	if s.Sequence, err = strconv.ParseUint(m.Header.Get(hdrSequence), 10, 64); err != nil {
		return nil, fmt.Errorf("read sequence: %w", err)
	}
	if s.Time, err = time.Parse(time.RFC3339Nano, m.Header.Get(hdrTime)); err != nil {
		return nil, fmt.Errorf("read time: %w", err)
	}
	s.Time = s.Time.UTC()
	return &s, nil
}

// validName keeps a stream's or durable's name from being read as more than
// one token of a subject.
func validName(name string) error {
	if name == "" || strings.ContainsAny(name, ". *>\t\r\n/\\") {
		return fmt.Errorf("name %q: must be one token", name)
	}
	return nil
}
