package facts

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/episode"
	"github.com/headrace/headrace/pkg/fulfillment"
)

// memory has how the events of requests stood when a Teller told of them last:
// whoever goes on with one of them soon need not read that.
type memory struct {
	seed maphash.Seed
	mu   sync.Mutex // guards of
	of   map[uint64]standing
}

type standing struct {
	episode.Closing
	since time.Time
}

const (
	// mostKnown bounds the memory to some two megabytes.
	mostKnown = 16_384
	// knownFor is how long it holds: within that nobody gives an episode up, which
	// takes an operator, and the decision about it must come from who had it first.
	knownFor = 10 * time.Second
)

// Remembering has the Teller keep for Recall what it tells of the beginning of
// episodes. It pays where somebody asks in the same process.
func (t *Teller) Remembering() *Teller {
	t.memory = &memory{seed: maphash.MakeSeed(), of: map[uint64]standing{}}
	return t
}

// Recall is how the events of a request stood when this Teller began an episode
// of it less than 10 s ago, and forgets that; else false. Others may
// have told more since: what is told next says so, as it expects that nothing was.
func (t *Teller) Recall(key fulfillment.Key) (episode.Closing, bool) {
	if t.memory == nil {
		return episode.Closing{}, false
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	hash := maphash.Comparable(t.memory.seed, key)
	at, found := t.memory.of[hash]
	delete(t.memory.of, hash)
	return at.Closing, found && t.now().Sub(at.since) < knownFor
}

func (t *Teller) remember(key fulfillment.Key, at episode.Closing) {
	if t.memory == nil {
		return
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	if len(t.memory.of) >= mostKnown {
		clear(t.memory.of)
	}
	t.memory.of[maphash.Comparable(t.memory.seed, key)] = standing{at, t.now()}
}
