package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/facts"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/processor"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
	"github.com/headrace/headrace/pkg/upstream/board"
	"github.com/headrace/headrace/services/adjustment"
	"github.com/headrace/headrace/services/cancel"
	"github.com/headrace/headrace/services/change"
	"github.com/headrace/headrace/services/committer"
	"github.com/headrace/headrace/services/fetcher"
	"github.com/headrace/headrace/services/purchase"
	"github.com/headrace/headrace/services/renew"
	"github.com/headrace/headrace/services/resume"
	"github.com/headrace/headrace/services/suspend"
	"github.com/headrace/headrace/services/tierconfig"
	"github.com/headrace/headrace/services/transfer"
)

// templateTTL is how long a template that was looked up is taken for granted.
const templateTTL = 10 * time.Minute

// assemble registers the services' handlers and returns what must run beside
// them.
func (a *App) assemble(client *stream.Client, services []string) ([]func(context.Context) error, error) {
	a.board = board.New(client, a.log, a.upstreamChanged)
	toConnect := a.connectUpstream()
	con, err := a.connectClient(toConnect)
	if err != nil {
		return nil, err
	}
	var profiles processor.Profiles
	if slices.ContainsFunc(services, decides) {
		if profiles, err = a.profiles(); err != nil {
			return nil, err
		}
		profiles = a.handled(profiles)
	}
	teller := facts.New(client, facts.Rules{Personal: a.cfg.EventsPersonalData, Tenant: a.tenantParam()})
	if a.cfg.NATS.URL == "" && a.cfg.Sync.Always {
		teller.Together(client.AppendChain)
	}
	if slices.Contains(services, Fetcher) && slices.Contains(services, Committer) {
		teller.Remembering()
	}
	dead := deadletter.NewWriter(client, a.dead).Telling(teller.OfLetter)
	run := []func(context.Context) error{a.board.Run, func(ctx context.Context) error { return a.probe(ctx, con) }}
	for _, name := range services {
		switch name {
		case Fetcher:
			f := a.fetcher(client, con, dead, teller)
			client.Handle(stream.DurableUnclaimed, a.cfg.Concurrency.For(name), f.Unclaimed)
			run = append(run, f.Run, f.Watch)
		case Committer:
			c := a.committer(client, con, dead, teller, toConnect)
			client.Handle(stream.DurableCommitter, a.cfg.Concurrency.For(name), c.Handle)
			client.Within(stream.DurableCommitter, c.Room)
			a.notify(client, con)
		default:
			d, err := decider(name)
			if err != nil {
				return nil, err
			}
			p := processor.New(processor.Config{
				Service: name, Decider: d, Profiles: profiles, Log: client, Dead: dead, Status: statusOf(con),
				Metrics: a.metrics, Logger: a.log, MaxWait: a.cfg.Retention.Requests / 2,
				Connect: toConnect, Most: a.share(client, name), Upstreams: a.needs(name),
				Alone: a.cfg.NATS.URL == "",
			})
			client.Handle(name, a.cfg.Concurrency.For(name), p.Handle)
			client.Within(name, p.Room)
		}
		if a.cfg.TotalConcurrency.For(name) > 0 && name != Fetcher {
			client.Bound(name, stream.SlotsOf(name))
		}
	}
	return run, nil
}

func (a *App) fetcher(client *stream.Client, con *connect.Client, dead *deadletter.Writer, teller *facts.Teller) *fetcher.Fetcher {
	return fetcher.New(fetcher.Config{
		Log: client, Dead: dead, Facts: teller, Requests: con.Requests.Walk, TierRequests: con.TierRequests.Walk,
		Status: statusOf(con), Follow: client.FollowHeaders, Consumer: client.ConsumerState, Drain: a.cfg.DrainTimeout,
		Products: a.cfg.Products, Interval: a.cfg.Connect.PollInterval, Concurrency: a.cfg.Concurrency.For(Fetcher),
		Metrics: a.metrics, Logger: a.log, Polled: a.polled, DryRun: a.cfg.DryRun,
	})
}

func (a *App) committer(client *stream.Client, con *connect.Client, dead *deadletter.Writer, teller *facts.Teller, to *upstream.Upstream) *committer.Committer {
	return committer.New(committer.Config{
		Log: client, Dead: dead, Facts: teller, Requests: con.Requests, TierRequests: con.TierRequests,
		Templates: committer.NewTemplates(con.Templates.List, templateTTL),
		Assets:    con.Assets, Adjustments: con.Requests,
		Metrics: a.metrics, Logger: a.log, Connect: to, DryRun: a.cfg.DryRun,
	})
}

// notify registers what tells people in conversations. One at a time: the
// notifier's promise to say nothing twice rests on it.
func (a *App) notify(client *stream.Client, con *connect.Client) {
	if !a.cfg.Conversations {
		return
	}
	n := committer.NewNotifier(committer.NotifierConfig{
		Log: client, Requests: con.Requests, TierRequests: con.TierRequests, Conversations: con.Conversations,
		Logger: a.log, DryRun: a.cfg.DryRun,
	})
	for _, durable := range []string{stream.DurableNoteHeld, stream.DurableNoteFailed, stream.DurableNoteWaits} {
		client.Handle(durable, 1, n.Handle)
	}
}

// share is how many of a service's requests may be in flight at one upstream:
// where there are several, one that hangs must leave room for the others.
func (a *App) share(client *stream.Client, service string) func() int {
	if a.vendors < 2 {
		return nil
	}
	return func() int {
		places := a.cfg.Concurrency.For(service)
		if held, bound := client.Held(service); bound {
			places = held
		}
		return max(places*3/4, 1)
	}
}

// needs are the upstreams without which no request of a service can be carried
// out; none if some can.
func (a *App) needs(service string) []*upstream.Upstream {
	types := []fulfillment.Type{fulfillment.Type(service)}
	if service == TierConfig {
		types = []fulfillment.Type{fulfillment.TierSetup, fulfillment.TierUpdate, fulfillment.TierAdjustment}
	}
	if slices.ContainsFunc(a.handlers, func(h Handler) bool { return slices.Contains(types, h.Type) }) {
		return nil
	}
	return processor.Upstreams(a.inUse, types...)
}

// decides reports whether the service carries requests out.
func decides(service string) bool { return service != Fetcher && service != Committer }

// decider is the logic of one service.
func decider(name string) (processor.Decider, error) {
	switch name {
	case "purchase":
		return purchase.Service{}, nil
	case "change":
		return change.Service{}, nil
	case "cancel":
		return cancel.Service{}, nil
	case "suspend":
		return suspend.Service{}, nil
	case "resume":
		return resume.Service{}, nil
	case "adjustment":
		return adjustment.Service{}, nil
	case "renew":
		return renew.Service{}, nil
	case "transfer":
		return transfer.Service{}, nil
	case TierConfig:
		return tierconfig.Service{}, nil
	}
	return nil, fmt.Errorf("run services: %q processes no type", name)
}

func (a *App) connectClient(u *upstream.Upstream) (*connect.Client, error) {
	c := a.cfg.Connect
	con, err := connect.NewClient(string(c.Endpoint), c.APIKey.Reveal(),
		connect.WithTransport(upstream.NewGate(u, guard.Transport(connect.NewTransport()))),
		connect.WithPageSize(c.PageSize), connect.WithLogger(a.log),
		connect.WithObserver(func(method, route string, status int, d time.Duration) {
			a.metrics.ConnectCall(method, route, status, d)
			a.reportConnect(route, status)
		}))
	if err != nil {
		return nil, fmt.Errorf("make client of Connect: %w", err)
	}
	return con, nil
}

// statusOf asks Connect where a request stands.
func statusOf(con *connect.Client) processor.Status {
	return func(ctx context.Context, key fulfillment.Key) (string, error) {
		status, err := "", error(nil)
		if key.Type.Tier() {
			var r *connect.TierRequest
			if r, err = con.TierRequests.Get(ctx, key.Request); err == nil {
				status = r.Status
			}
		} else {
			var r *connect.Request
			if r, err = con.Requests.Get(ctx, key.Request); err == nil {
				status = r.Status
			}
		}
		if connect.IsNotFound(err) {
			return "", nil
		}
		return status, err
	}
}
