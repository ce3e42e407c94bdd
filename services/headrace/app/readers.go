package app

import (
	"context"

	"github.com/headrace/headrace/pkg/broker"
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
	err := client.FeedMirror(ctx, broker.ReadersAccount)
	if err == nil {
		err = a.mirror(ctx, stream.Options{
			InProcess: b, User: user, Password: password, Name: "headrace-mirror", NoReconnect: true, Logger: a.log,
		})
	}
	if err != nil && ctx.Err() == nil {
		a.log.WithError(err).Error("readers have no events until the next start")
	}
}

func (a *App) mirror(ctx context.Context, o stream.Options) error {
	readers, err := stream.Connect(ctx, o)
	if err != nil {
		return err
	}
	defer readers.Close()
	return readers.MirrorEvents(ctx, broker.ReadersAccount, a.cfg.Retention.Events, a.cfg.Retention.MaxBytes)
}
