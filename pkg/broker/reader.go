package broker

import "github.com/headrace/headrace/pkg/fulfillment"

// AnyConsumer is a consumer's name that lets a reader name its consumers as it
// likes, and use and delete those of other readers.
const AnyConsumer = "*"

// Permissions are the subjects that a user may publish and subscribe to; all
// others are refused.
type Permissions struct{ Publish, Subscribe []string }

// ReaderPermissions is what a user in an account that mirrors the events needs
// to read them, with pull and push consumers of the given names, durable or
// not, and nothing else: it can change neither the stream nor a consumer of
// another name. The broker compares subjects token by token, so that names are
// listed; there is no "billing-*". The inbox is what the user's replies begin
// with, by default of all clients "_INBOX".
//
// It keeps readers apart from each other's mistakes. It is no protection for an
// account that holds anything but the mirror: a push consumer makes the broker
// publish in its reader's place.
func ReaderPermissions(inbox string, consumers ...string) Permissions {
	const stream = fulfillment.StreamEvents
	p := Permissions{
		Publish: []string{
			"$JS.API.INFO",
			"$JS.API.STREAM.INFO." + stream,
			"$JS.API.STREAM.MSG.GET." + stream,
			"$JS.API.DIRECT.GET." + stream,
			"$JS.API.DIRECT.GET." + stream + ".>",
		},
		Subscribe: []string{inbox + ".>"},
	}
	for _, name := range consumers {
		consumer := stream + "." + name
		p.Publish = append(p.Publish,
			"$JS.API.CONSUMER.*."+consumer, // create, look up, pause, delete
			"$JS.API.CONSUMER.CREATE."+consumer+".>",
			"$JS.API.CONSUMER.DURABLE.CREATE."+consumer,
			"$JS.API.CONSUMER.MSG.NEXT."+consumer,
			"$JS.ACK."+consumer+".>",
			"$JS.FC."+consumer+".>",
		)
		p.Subscribe = append(p.Subscribe, "headrace-deliver."+consumer)
	}
	return p
}
