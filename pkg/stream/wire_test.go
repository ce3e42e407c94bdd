package stream

import (
	"errors"
	"math"
	"strconv"
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

// What nats.go reads of a delivery, we read.
func TestPlaceOf_AnyReply_AsNATS(t *testing.T) {
	t.Parallel()
	number := rapid.Custom(func(t *rapid.T) string {
		return strconv.FormatUint(rapid.Uint64Max(math.MaxInt64).Draw(t, "number"), 10)
	})
	token := rapid.OneOf(number, number, number, rapid.SampledFrom([]string{"_", "WORK", "worker"}))
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.SampledFrom([]string{"$JS.ACK.", "$JS.ACK.EVENTS.reader.", "$JS.ACK.hub.ACCOUNT.EVENTS.reader.", "_INBOX."}).Draw(t, "head")
		reply := head + strings.Join(rapid.SliceOfN(token, 1, 12).Draw(t, "tokens"), ".")
		m := &nats.Msg{Reply: reply, Sub: &nats.Subscription{}}
		got, ok := placeOf(reply)
		meta, err := m.Metadata()
		if !ok || err != nil {
			if ok {
				t.Fatalf("%s: nats.go says %v", reply, err)
			}
			return // it takes what is no number for one
		}
		want := place{
			stream: meta.Stream, consumer: meta.Consumer, attempt: meta.NumDelivered, pending: meta.NumPending,
			sequence: meta.Sequence.Stream, delivered: meta.Sequence.Consumer, stored: uint64(meta.Timestamp.UnixNano()),
		}
		if got != want || !got.time().Equal(meta.Timestamp) {
			t.Errorf("%s: %+v, want %+v", reply, got, want)
		}
	})
}

func TestPlaceOf_BothForms_IsRead(t *testing.T) {
	t.Parallel()
	want := place{stream: "EVENTS", consumer: "reader", attempt: 2, sequence: 30, delivered: 4, stored: 5, pending: 6}
	for _, reply := range []string{
		"$JS.ACK.EVENTS.reader.2.30.4.5.6", "$JS.ACK._.ACCOUNT.EVENTS.reader.2.30.4.5.6", "$JS.ACK._.ACCOUNT.EVENTS.reader.2.30.4.5.6.x",
	} {
		if got, ok := placeOf(reply); !ok || got != want {
			t.Errorf("%s: %+v, %t", reply, got, ok)
		}
	}
	for _, reply := range []string{"", "$JS.ACK.EVENTS.reader.2.30.4.5", "$JS.ACK.EVENTS.reader.2.30.4.5.6.7", "$JS.ACK.EVENTS.reader.2.x.4.5.6"} {
		if _, ok := placeOf(reply); ok {
			t.Errorf("%q is read", reply)
		}
	}
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
