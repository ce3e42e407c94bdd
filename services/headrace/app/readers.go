package app

import (
	"context"
	"errors"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
)

// serveReaders gives the readers of the embedded broker, if it has any, their
// mirror of the events. The services do without: what goes wrong is logged.
func (a *App) serveReaders(ctx context.Context, client *stream.Client, b *broker.Broker) {
	if b == nil {
		return
	}
	user, password, readers := b.Mirror()
	if !readers {
		return
	}
	err := a.mirror(ctx, client, stream.Options{
		InProcess: b, User: user, Password: password, Name: "headrace-mirror", NoReconnect: true, Logger: a.log,
	})
	if err != nil && ctx.Err() == nil {
		a.log.WithError(err).Error("readers have no events until the next start")
	}
}

func (a *App) mirror(ctx context.Context, client *stream.Client, o stream.Options) error {
	readers, err := stream.Connect(ctx, o)
	if err != nil {
		return err
	}
	defer readers.Close()
	ours, err := client.StreamState(ctx, fulfillment.StreamEvents)
	if err != nil {
		return err
	}
	theirs, err := readers.StreamState(ctx, fulfillment.StreamEvents)
	if err != nil && !errors.Is(err, stream.ErrNoStream) {
		return err
	}
	if err == nil && theirs.Created.Before(ours.Created) {
		a.log.Warn("the stream of events was made anew, and so are the readers' mirror and consumers")
		if err := readers.DropMirror(ctx); err != nil {
			return err
		}
	}
	if err := client.FeedMirror(ctx, broker.ReadersAccount); err != nil {
		return err
	}
	return readers.MirrorEvents(ctx, broker.ReadersAccount, a.cfg.Retention.Events, a.cfg.Retention.MaxBytes)
}
