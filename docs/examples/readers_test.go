// Package examples tests the example programs that read events as other teams
// would run them: as processes, beside a Headrace that works, over their own
// stop and the broker's.
package examples

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/nodetest"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/stream/streamtest"
)

// read checks one example: run makes a command of it.
func read(t *testing.T, durable, filter string, run func() *exec.Cmd) {
	t.Helper()
	s := ownBroker(t)
	ids := s.work(8, filter)
	if len(ids) == 0 {
		t.Fatal("there are no events to read")
	}
	first := startReader(t, run(), s.url)
	first.await("what there was before it began", ids)
	ids = s.work(8, filter)
	first.await("and what came meanwhile", ids)
	first.stop()
	s.acknowledged(durable)

	before := len(ids)
	ids = s.work(8, filter)
	second := startReader(t, run(), s.url)
	second.await("after a stop it goes on where it was", ids[before:])
	s.stop()
	s.start()
	ids = s.work(8, filter)
	second.await("and after the broker's", ids[before:])
	second.stop()
}

func TestEventsNATS_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	read(t, "events-printer", "fulfillment.events.>", program(t, "events-nats"))
}

func TestEventsWatermill_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	read(t, "approvals-printer", "fulfillment.events.*.approved.>", program(t, "events-watermill"))
}

func TestEventsNode_Process_PrintsEachOnce(t *testing.T) {
	t.Parallel()
	node, here := nodetest.Open(t, "events-node")
	if !here {
		return
	}
	read(t, "events-node-printer", "fulfillment.events.>", func() *exec.Cmd { return node.Command(t.Context(), "main.js") })
}

// A team has a user that may read a mirror of the events and no more.
func TestExamples_AsATeamsUser_ReadTheMirror(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := streamtest.Server(t, streamtest.Config(t, filepath.Join("..", "..", "deployments", "nats-accounts.conf")))
	as := func(user, password string) string {
		return strings.Replace(b.URL(), "://", "://"+user+":"+password+"@", 1)
	}
	s.url = as("services", "pw-NATS_SERVICES_PASSWORD")
	s.cfg.NATS.URL = config.URL(s.url)
	s.start()
	mirror(t, s.url, as("readers-admin", "pw-READERS_ADMIN_PASSWORD"))
	all := s.work(8, "fulfillment.events.>")
	approved := s.work(0, "fulfillment.events.*.approved.>")

	billing, support := as("billing", "pw-BILLING_PASSWORD"), as("support", "pw-SUPPORT_PASSWORD")
	run := program(t, "events-nats")
	startReader(t, run(), billing, "NATS_DURABLE=billing-invoices", "NATS_INBOX=_INBOX_billing").await("events-nats", all)
	run = program(t, "events-watermill")
	startReader(t, run(), billing, "NATS_DURABLE=billing-test", "NATS_INBOX=_INBOX_billing").await("events-watermill", approved)
	if node, here := nodetest.Open(t, "events-node"); here {
		run := node.Command(t.Context(), "main.js")
		startReader(t, run, support, "NATS_DURABLE=support-desk", "NATS_INBOX=_INBOX_support").await("events-node", all)
	}
}

// mirror has the account READERS mirror the events, as its operators do.
func mirror(t *testing.T, services, admin string) {
	t.Helper()
	ours, err := stream.Connect(t.Context(), stream.Options{URL: services})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := stream.Connect(t.Context(), stream.Options{URL: admin})
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	err = errors.Join(ours.FeedMirror(t.Context(), "READERS"), theirs.MirrorEvents(t.Context(), "READERS", 0, 0))
	if err != nil {
		t.Fatal(err)
	}
}
