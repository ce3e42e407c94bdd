package bench

import (
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// replay reads events of the size of ours in turns, twice each.
func replay(t *testing.T, set setting) readings {
	const n, size = 1_000_000, 1500
	s := newSite(t, set, false)
	defer s.leave()
	body := make([]byte, size)
	s.fill(n, func(i int) *nats.Msg {
		m := &nats.Msg{Subject: "work.purchase." + strconv.Itoa(i%1000), Data: body, Header: nats.Header{}}
		for _, k := range []string{
			"_watermill_message_uuid", "ce-id", "ce-type", "ce-source", "ce-specversion", "ce-time", "ce-subject", "ce-dataschema", "hr-episode",
		} {
			m.Header[k] = []string{"2026-11-22T17:00:00.000000000Z"}
		}
		return m
	})
	var ours, theirs []float64
	for range 2 {
		theirs = append(theirs, s.ordered(n))
		ours = append(ours, s.read(n))
	}
	return readings{"ours": median(ours), "nats": median(theirs)}
}

func (s *site) read(n int) float64 {
	began, seen := time.Now(), 0
	for m, err := range s.client.Read(s.t.Context(), workStream, "", 1) {
		if err != nil {
			s.t.Fatal(err)
		}
		if m.Header["ce-id"] != "" {
			seen++
		}
	}
	if seen != n {
		s.t.Errorf("read %d of %d events", seen, n)
	}
	return float64(n) / time.Since(began).Seconds()
}

func (s *site) ordered(n int) float64 {
	began, seen := time.Now(), 0
	cons, err := s.js.OrderedConsumer(s.t.Context(), workStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	it, err := cons.Messages()
	if err != nil {
		s.t.Fatal(err)
	}
	defer it.Stop()
	for range n {
		m, err := it.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		if m.Headers().Get("ce-id") != "" {
			seen++
		}
	}
	if seen != n {
		s.t.Errorf("read %d of %d events", seen, n)
	}
	return float64(n) / time.Since(began).Seconds()
}
