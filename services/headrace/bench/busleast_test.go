package bench

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// least is the least that Watermill's interface asks of a Subscriber: nats.go's
// Messages, and 64 goroutines of which each hands out a message and waits until it
// is acknowledged. It reads no headers and holds no lease. Whatever it loses
// against nats.go is the interface's.
type least struct {
	site *site
	stop func()
}

func (l *least) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	work, stop := l.site.messages()
	l.stop = stop
	out := make(chan *message.Message)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for m := range work {
				msg := message.NewMessage("x", m.Data())
				out <- msg
				<-msg.Acked()
				l.site.must(m.Ack())
			}
		})
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out, nil
}

func (l *least) Close() error {
	l.stop()
	return nil
}

func consumeLeast(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	s.load()
	sub := &least{site: s}
	one, all := count(loadSize)
	began := time.Now()
	ch, err := sub.Subscribe(t.Context(), workDurable)
	if err != nil {
		t.Fatal(err)
	}
	acknowledge(ch, one)
	got := s.consumed(began, all)
	s.must(sub.Close())
	return got
}

func consumeLeastRouter(t *testing.T, set setting) readings {
	s := newSite(t, set, false)
	defer s.leave()
	s.load()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	one, all := count(loadSize)
	router.AddConsumerHandler(workDurable, workDurable, &least{site: s}, func(*message.Message) error { one(); return nil })
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- router.Run(t.Context()) }()
	got := s.consumed(began, all)
	s.must(router.Close())
	s.must(<-done)
	return got
}
