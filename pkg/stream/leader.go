package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// leaderTimeout is how long a leader has for an answer before it is asked
	// again: while there is none, nobody answers.
	leaderTimeout = time.Second
	leaderWait    = 100 * time.Millisecond
)

// The broker's error codes of a read.
const (
	codeNoLeader  = 10008 // or the node that answers knows of none
	codeNoMessage = 10037
	codeNoStream  = 10059
)

// clustered reports whether the broker is a node among others.
func (c *Client) clustered() bool { return c.nc.ConnectedClusterName() != "" }

// leaderGet asks the leader of a stream, again and again while there is none.
func (c *Client) leaderGet(ctx context.Context, stream string, data []byte) (*Stored, error) {
	for {
		s, err := c.leaderTry(ctx, stream, data)
		if !errors.Is(err, errNoLeader) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ErrNoStream, err)
		case <-time.After(leaderWait):
		}
	}
}

var errNoLeader = errors.New("stream has no leader")

func (c *Client) leaderTry(ctx context.Context, stream string, data []byte) (*Stored, error) {
	try, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	m, err := c.nc.RequestMsgWithContext(try, &nats.Msg{Subject: "$JS.API.STREAM.MSG.GET." + stream, Data: data})
	switch {
	case err != nil && try.Err() != nil && ctx.Err() == nil, errors.Is(err, nats.ErrNoResponders):
		return nil, errors.Join(errNoLeader, err)
	case err != nil:
		return nil, err
	}
	var answer struct {
		Error *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if e := answer.Error; e != nil {
		kind := ErrRefused
		switch e.Code {
		case codeNoMessage:
			return nil, ErrNotFound
		case codeNoStream:
			kind = ErrNoStream
		case codeNoLeader:
			kind = errNoLeader
		}
		return nil, fmt.Errorf("%w: %s (%d)", kind, e.Description, e.Code)
	}
	if answer.Message == nil {
		return nil, fmt.Errorf("%w: an answer without a message", ErrRefused)
	}
	var header nats.Header
	if len(answer.Message.Header) > 0 {
		if header, err = nats.DecodeHeadersMsg(answer.Message.Header); err != nil {
			return nil, fmt.Errorf("read headers of message %d: %w", answer.Message.Seq, err)
		}
	}
	s := decode(answer.Message.Subject, header, answer.Message.Data)
	s.Stream, s.Sequence, s.Time = stream, answer.Message.Seq, answer.Message.Time.UTC()
	return &s, nil
}
