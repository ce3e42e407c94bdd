package broker

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// ReadersAccount is the account of those who read events and nothing else. It
// is there with Options.Listen.
const ReadersAccount = "READERS"

const (
	// mirrorUser makes the mirror, from within this process alone.
	mirrorUser = "mirror"

	readersMemory     = 64 << 20
	readersConsumers  = 100
	readersAckPending = 100_000
)

// accounts are ours, which is the global one so that streams of earlier versions
// are found, and that of the readers, with nothing between the two but what
// feeds the mirror.
func accounts() (ours, readers *server.Account, err error) {
	ours, readers = server.NewAccount("$G"), server.NewAccount(ReadersAccount)
	deliver := fulfillment.MirrorSubject(ReadersAccount)
	consumer := fulfillment.StreamEvents + "." + fulfillment.MirrorDurable(ReadersAccount)
	reset, flow := ".CONSUMER.RESET."+consumer, "$JS.FC."+consumer+".>"
	only := []*server.Account{readers}
	err = errors.Join(
		ours.AddStreamExport(deliver, only),
		ours.AddServiceExport("$JS.API"+reset, only),
		ours.AddServiceExport(flow, only),
	)
	if err == nil {
		err = errors.Join(
			readers.AddStreamImport(ours, deliver, ""),
			readers.AddServiceImport(ours, fulfillment.MirrorAPI+reset, "$JS.API"+reset),
			readers.AddServiceImport(ours, flow, flow),
		)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make the readers' account: %w", err)
	}
	return ours, readers, nil
}

// readerUsers are the users of the readers' account; mirror is the password of
// the one that makes the mirror.
func readerUsers(account *server.Account, reader credential, mirror string) []*server.User {
	p := ReaderPermissions("_INBOX", AnyConsumer)
	return []*server.User{
		{Username: mirrorUser, Password: mirror, Account: account},
		{Username: reader.User, Password: reader.Password, Account: account, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: p.Publish},
			Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
		}},
	}
}

// allowStreams enables streams in both accounts of a started server: with more
// than one account it does so for none by itself.
func allowStreams(s *server.Server) error {
	if err := s.GlobalAccount().EnableJetStream(nil, nil); err != nil {
		return fmt.Errorf("enable streams: %w", err)
	}
	readers, err := s.LookupAccount(ReadersAccount)
	if err != nil {
		return fmt.Errorf("look up the readers' account: %w", err)
	}
	bounds := server.JetStreamAccountLimits{
		MaxMemory: readersMemory, MaxStore: -1, MaxStreams: 1, MaxConsumers: readersConsumers, MaxAckPending: readersAckPending,
		MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}
	if err := readers.EnableJetStream(map[string]server.JetStreamAccountLimits{"": bounds}, nil); err != nil {
		return fmt.Errorf("enable streams for readers: %w", err)
	}
	return nil
}
