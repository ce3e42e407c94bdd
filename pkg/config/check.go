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
	for _, name := range c.Retention.TooShort() {
		key := "retention." + string(name) + "_max_age"
		age, is, be := c.Retention.Age(name), "is shorter than", "at least as long"
		if name == Results {
			is, be = "is not longer than", "longer"
		}
		faults = append(faults, &Fault{c.Name(key), fmt.Sprintf(
			"%s %s %s (%s), so that a replayed request could be carried out twice; make it %s",
			age, is, c.Name("retention.requests_max_age"), forEver(c.Retention.Requests), be)})
	}
	return faults
}

func forEver(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return d.String()
}
