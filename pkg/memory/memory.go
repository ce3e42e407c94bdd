// Package memory keeps a process no larger than it must be. Go's collector takes
// as much memory again as is in use, which is little for a process that does much
// with little, and gigabytes for one whose broker has a million subjects; and what
// a burst has taken stays with the process for long.
package memory

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// every is the pause between two looks, and still how many of them must have
	// been calm before memory is given back.
	every = 2 * time.Second
	still = 3
	// rest is how many looks there are at least before that is done again: two
	// collections cost a process most of whose memory is in use some seconds.
	rest = 60
	// calm is how much a process may allocate from one look to the next that has
	// little to do.
	calm = 16 << 20

	// slack is what the collector may take beyond what is in use, least and most
	// are bounds of that in percent of it. More than Go's 100 is not worth it: with
	// 400 a purchase takes 0.97 ms of processor time instead of 0.99.
	slack = 192 << 20
	least = 50
	most  = 100

	// worth is how much the system must get back, and an eighth of what is in use.
	worth = 64 << 20
)

// Keep has the collector run sooner the more there is in use, and gives the
// system back what a calm process does not need, until ctx ends. The percentage
// is left alone where GOGC is set, and everything where that is off. There is one Keep in a process.
func Keep(ctx context.Context) {
	value, chosen := os.LookupEnv("GOGC")
	if value == "off" {
		return
	}
	k := keeper{percent: 100, since: rest}
	defer func() {
		if !chosen {
			debug.SetGCPercent(100)
		}
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		percent, free := k.look(take())
		if !chosen && percent != k.percent {
			k.percent = percent
			debug.SetGCPercent(percent)
		}
		if free {
			// What nobody uses any more lies in pools, which two collections empty;
			// FreeOSMemory makes the second.
			runtime.GC()
			debug.FreeOSMemory()
			k.freed(take())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample is how a process stands, in bytes.
type sample struct {
	live      uint64 // in use, by the last collection
	allocated uint64 // since the start
	resident  uint64 // of the system's memory, as far as it is Go's
}

func (s sample) spare() uint64 { return s.resident - min(s.live, s.resident) }

func take() sample {
	all := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(all)
	n := func(i int) uint64 { return all[i].Value.Uint64() }
	return sample{live: n(0), allocated: n(1), resident: n(2) - n(3)}
}

// keeper decides.
type keeper struct {
	percent int
	before  uint64 // allocated at the last look
	quiet   int    // looks in a row that were calm
	since   int    // looks since memory was given back; before the first time, rest
	kept    uint64 // spare after memory was given back last: it can't be
}

// look returns the collector's percentage, and whether to give memory back.
func (k *keeper) look(s sample) (percent int, free bool) {
	k.quiet++
	k.since++
	if s.allocated-k.before > calm {
		k.quiet = 0
	}
	k.before = s.allocated
	enough := max(worth+s.live/8, k.kept*5/4)
	percent = int(min(max(slack*100/max(s.live, 1), least), most))
	if near := percent - k.percent; near*near <= k.percent*k.percent/64 && percent > least && percent < most {
		percent = k.percent // not worth to stop the world for
	}
	return percent, k.quiet >= still && k.since >= rest && s.spare() > enough
}

// freed notes what was left.
func (k *keeper) freed(s sample) {
	k.quiet, k.since, k.kept, k.before = 0, 0, s.spare(), s.allocated
}
