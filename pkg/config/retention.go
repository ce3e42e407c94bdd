package config

import "time"

// Retention is how long the streams keep their messages. An age of 0 is for
// ever. Load refuses ages with which a request would outlive what was decided
// about it.
type Retention struct {
	Requests time.Duration
	Results  time.Duration
	Events   time.Duration
	Dead     time.Duration
	MaxBytes int64 // of each stream; 0 is without limit
}

// Record names what is kept about requests.
type Record string

// The records.
const (
	Results Record = "results" // intents, too
	Events  Record = "events"
	Dead    Record = "dead"
)

// Age is how long a record is kept.
func (r Retention) Age(of Record) time.Duration {
	return map[Record]time.Duration{Results: r.Results, Events: r.Events, Dead: r.Dead}[of]
}

// TooShort lists what is not kept as long as the requests that it is about. Of
// results it takes more: the proof that the vendor was called is older than the
// retry that may ask for it.
func (r Retention) TooShort() []Record {
	var short []Record
	for _, of := range []Record{Results, Events, Dead} {
		switch age := r.Age(of); {
		case age == 0:
		case r.Requests == 0, r.Requests > age, r.Requests == age && of == Results:
			short = append(short, of)
		}
	}
	return short
}
