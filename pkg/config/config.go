package config

import "time"

// Config is what Headrace is told. Load makes one; Default is the start of one
// for tests and the demo. It is not changed after that and may be shared.
type Config struct {
	Connect     Connect
	Vendor      Vendor
	NATS        NATS
	DataDir     string // where the embedded broker keeps its streams and broker.json
	Sync        Sync
	Concurrency Concurrency
	// TotalConcurrency is the same over all processes; 0 is no bound. The fetcher
	// has none.
	TotalConcurrency Concurrency
	// DrainTimeout is what a stop waits for work in flight; 0 waits for nothing.
	DrainTimeout time.Duration
	// HTTPAddr is host:port of health, metrics and console; "off" serves none.
	HTTPAddr string
	// DryRun decides, but writes to neither the vendor nor Connect.
	DryRun bool
	// Conversations tells people in a request's conversation that it is held,
	// failed, or waits for long.
	Conversations bool
	// EventsPersonalData lets names, addresses and the values of all parameters but
	// secret ones out in events.
	EventsPersonalData bool
	// Products are the ids to process; empty is every product that the key sees.
	Products []string
	// Profiles is the file whose products are profiles, and not just ids; empty
	// is none. Package profile reads them.
	Profiles  string
	Retention Retention
	Log       Log

	// Ignored are variables that begin like ours and mean nothing to this
	// version.
	Ignored []string

	origins map[string]Origin
	// faulty are the keys that were set, and refused: they are not missing, too.
	faulty map[string]bool
	// keyFault is why the key file gave no key. It counts only for those who
	// need Connect, so it is kept until Check.
	keyFault error
}

// Connect is the way to CloudBlue Connect.
type Connect struct {
	Endpoint     URL           // base URL without a trailing slash
	APIKey       Secret        // SU-…:…, without the ApiKey prefix
	PollInterval time.Duration // the pause between two polls
	PageSize     int           // requests a page, 1 to 1000
}

// Vendor is the way to the vendor's API.
type Vendor struct {
	Endpoint    URL // base URL without a trailing slash; may have a path
	Idempotency Idempotency
}

// Idempotency says what the vendor makes of the Idempotency-Key header.
type Idempotency string

// The two kinds of vendor.
const (
	IdempotencyKey  Idempotency = "key"  // a repeated key repeats no effect
	IdempotencyNone Idempotency = "none" // the header means nothing to it
)

// NATS is the way to the broker. Without URL, up runs its own.
type NATS struct {
	URL      URL    // one or more, separated by commas; empty is the embedded broker
	Creds    string // path of a NATS credentials file
	CA       string // path of a PEM file
	Cert     string // path of a PEM file, together with Key
	Key      string
	Listen   string // host:port where the embedded broker admits others; empty is nowhere
	Replicas int    // of streams and consumers; 0 is 3 in a cluster of three or more, else 1
}

// Sync says when the embedded broker syncs to disk. With Always, acknowledged
// means on disk; otherwise a power cut can lose the last Interval.
type Sync struct {
	Always   bool
	Interval time.Duration // 0 with Always
}

// Concurrency is how many requests each service of a process has in flight, or of
// all processes together.
type Concurrency struct {
	Default  int
	Services map[string]int // overrides, by the service's name
}

// For is the number for one service.
func (c Concurrency) For(service string) int {
	if n, ok := c.Services[service]; ok {
		return n
	}
	return c.Default
}

// Log is how much is logged, and how.
type Log struct {
	Level  string // a logrus level: trace, debug, info, warn or error
	Format string // text or json; empty is text on a terminal, else json
}

// HTTPOff as HTTPAddr serves no HTTP.
const HTTPOff = "off"

// Services lists the names that a setting may be given for, in the order of
// the flow.
func Services() []string {
	return []string{
		"fetcher", "purchase", "change", "cancel", "suspend", "resume",
		"adjustment", "renew", "transfer", "tierconfig", "committer",
	}
}

// Default is the configuration without a file and without environment. It
// lacks what is required.
func Default() *Config {
	const day = 24 * time.Hour
	return &Config{
		Connect: Connect{
			Endpoint:     "https://api.connect.cloudblue.com/public/v1",
			PollInterval: 2 * time.Minute,
			PageSize:     100,
		},
		Vendor:           Vendor{Idempotency: IdempotencyKey},
		DataDir:          "./data",
		Sync:             Sync{Always: true},
		Concurrency:      Concurrency{Default: 64, Services: map[string]int{}},
		TotalConcurrency: Concurrency{Services: map[string]int{}},
		DrainTimeout:     8 * time.Second,
		HTTPAddr:         "127.0.0.1:8080",
		Conversations:    true,
		Retention: Retention{
			Requests: 30 * day, Results: 60 * day, Events: 90 * day, Dead: 90 * day,
		},
		Log:     Log{Level: "info"},
		origins: map[string]Origin{},
		faulty:  map[string]bool{},
	}
}
