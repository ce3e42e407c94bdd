package committer

import "sync"

// maxFaults bounds the tries of what is not understood, in each process: over
// all of them it is so many times as there are processes. What is transient is
// tried for as long as it takes, and does not count.
const maxFaults = 8

// generation is how many results with faults are remembered at least, more than
// are ever met at once.
const generation = 10_000

// faults counts, by the result's sequence, the tries that ended in what is not
// understood. A count begins anew with the process. What is not asked about for
// long is forgotten; it may have gone on in another process.
type faults struct {
	mu    sync.Mutex
	young map[uint64]int
	old   map[uint64]int
}

// add counts one more and returns how many there are.
func (f *faults) add(sequence uint64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.young[sequence] + f.old[sequence] + 1
	delete(f.old, sequence)
	if f.young == nil || len(f.young) >= generation {
		f.old, f.young = f.young, map[uint64]int{}
	}
	f.young[sequence] = n
	return n
}

// drop forgets a result that is dealt with.
func (f *faults) drop(sequence uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.young, sequence)
	delete(f.old, sequence)
}
