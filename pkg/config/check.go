package config

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Need is what a command is going to use.
type Need struct {
	Connect bool
	Vendor  bool
	// Broker is a broker elsewhere or the embedded one: NATS or DataDir.
	Broker bool
	// RemoteBroker is a broker elsewhere; the embedded one will not do.
	RemoteBroker bool
}

// Check tells what is missing for a need: nil, or all of it joined, a *Fault
// each.
func (c *Config) Check(n Need) error {
	var faults []error
	missing := func(key, remedy string) {
		if c.faulty[key] {
			return
		}
		for _, s := range settings() {
			if s.key == key {
				faults = append(faults, &Fault{s.variable, fmt.Sprintf("is not set; %s (%s in %s)", remedy, key, defaultFile)})
			}
		}
	}
	switch {
	case !n.Connect || !c.Connect.APIKey.IsZero():
	case c.keyFault != nil:
		faults = append(faults, c.keyFault)
	default:
		missing(keyAPIKey, "set it to the Connect API key, ApiKey SU-…:…")
	}
	if n.Vendor && c.Vendor.Endpoint == "" && c.Profiles == "" { // profiles may have endpoints of their own
		missing(keyVendor, "set it to the base URL of the vendor API")
	}
	if n.RemoteBroker && c.NATS.URL == "" {
		missing(keyNATS, "set it to the broker, like nats://host:4222; only up brings its own")
	}
	if n.Broker || n.RemoteBroker {
		faults = append(faults, c.tlsFiles()...)
	}
	return errors.Join(faults...)
}

// tlsFiles looks whether the broker's credentials can be opened.
func (c *Config) tlsFiles() []error {
	var faults []error
	for _, f := range []struct{ key, name string }{
		{"nats.creds", c.NATS.Creds}, {"nats.ca", c.NATS.CA}, {"nats.cert", c.NATS.Cert}, {"nats.key", c.NATS.Key},
	} {
		if f.name == "" {
			continue
		}
		if c.NATS.URL == "" {
			faults = append(faults, &Fault{c.Name(f.key), "is for a broker elsewhere, and none is named; set HEADRACE_NATS_URL, or unset this"})
			continue
		}
		if _, err := os.Stat(f.name); err != nil {
			faults = append(faults, &Fault{c.Name(f.key), fmt.Sprintf("%v; name a file that is there", err)})
		}
	}
	return faults
}

// consistent tells what does not go together, whatever is needed.
func (c *Config) consistent() []error {
	var faults []error
	if (c.NATS.Cert == "") != (c.NATS.Key == "") {
		given, other := "nats.cert", "nats.key"
		if c.NATS.Cert == "" {
			given, other = other, given
		}
		faults = append(faults, &Fault{c.Name(given), fmt.Sprintf("is set without %s; a client certificate takes both", c.Name(other))})
	}
	// What was decided about a request, and what proves that the vendor was
	// called, must be there as long as the request can be read again.
	r := c.Retention
	for _, other := range []struct {
		key string
		age time.Duration
	}{
		{"retention.results_max_age", r.Results}, {"retention.events_max_age", r.Events}, {"retention.dead_max_age", r.Dead},
	} {
		if outlives(r.Requests, other.age) {
			faults = append(faults, &Fault{c.Name(other.key), fmt.Sprintf(
				"%s is shorter than %s (%s), so that a replayed request could be carried out twice; make it at least as long",
				other.age, c.Name("retention.requests_max_age"), age(r.Requests))})
		}
	}
	return faults
}

// outlives reports whether age a is longer than b, 0 being for ever.
func outlives(a, b time.Duration) bool { return b != 0 && (a == 0 || a > b) }

func age(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return d.String()
}
