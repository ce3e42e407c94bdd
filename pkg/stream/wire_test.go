package stream

import (
	"errors"
	"strings"
	"testing"

	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// What we write, a stock watermill-nats subscriber reads; what its publisher
// writes, we read.
func TestWire_StockMarshaler_ReadsAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`(ce-|hr-|x)[a-z0-9-]{1,12}`)
		header := rapid.MapOfN(key, rapid.String(), 0, 6).Draw(t, "header")
		msg := message.NewMessage(rapid.StringMatching(`[A-Z]{2}-[0-9/a-z]{0,20}`).Draw(t, "id"), []byte(rapid.String().Draw(t, "body")))
		msg.Metadata = header
		out, err := encode("work.x", msg, mayPublish)
		if err != nil {
			t.Fatal(err)
		}
		stock, err := (&wmnats.NATSMarshaler{}).Unmarshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if !stock.Equals(msg) {
			t.Errorf("stock read %+v of %+v", stock, msg)
		}
		ours := decode(out.Subject, out.Header, out.Data)
		want := Message{Subject: "work.x", ID: msg.UUID, Header: header, Body: msg.Payload}
		if diff := cmp.Diff(want, ours.Message); diff != "" && msg.UUID != "" {
			t.Errorf("ours (-want +got):\n%s", diff)
		}
	})
}

func TestDecode_AnyHeader_NeverFails(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := nats.Header(rapid.MapOf(rapid.SampledFrom([]string{
			"ce-id", "Ce-Id", "CE-TYPE", "ce-type", wmnats.WatermillUUIDHdr, "Nats-Rollup", "Nats-Batch-Id", "", "ce-",
		}), rapid.SliceOf(rapid.String())).Draw(t, "raw"))
		s := decode("work.x", raw, nil)
		for k := range s.Header {
			if strings.HasPrefix(k, "Nats-") || (strings.HasPrefix(strings.ToLower(k), "ce-") && k != strings.ToLower(k)) {
				t.Errorf("key %q came through", k)
			}
		}
		for k, v := range raw {
			if len(v) > 1 && !strings.HasPrefix(k, "Nats-") && !errors.Is(s.Poison, ErrPoison) {
				t.Errorf("%q has %d values and is no poison", k, len(v))
			}
		}
	})
}

func TestMatches_Wildcards_AsNATS(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.*", "a.c", true}, {"a.*", "a", false}, {"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {">", "a", true}, {"a", "a.b", false}, {"*.b", "a.b", true},
	} {
		if got := matches(tc.filter, tc.subject); got != tc.want {
			t.Errorf("matches(%q, %q) = %v", tc.filter, tc.subject, got)
		}
	}
}
