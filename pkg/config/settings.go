package config

import (
	"cmp"
	"strings"
)

// setting is one row of the documentation's table.
type setting struct {
	key      string // in the file
	variable string // in the environment
	help     string
	value    func(c *Config) value
}

// settings is the table, in the order of the documentation. The key file and
// the configuration file's own variable are no settings: see load.go.
func settings() []setting {
	t := []setting{
		{"connect.endpoint", "HEADRACE_CONNECT_ENDPOINT", "base URL of the Connect API",
			func(c *Config) value { return httpValue{&c.Connect.Endpoint} }},
		{keyAPIKey, "HEADRACE_CONNECT_API_KEY", "the key, ApiKey SU-…:…, with or without the prefix",
			func(c *Config) value { return secretValue{&c.Connect.APIKey} }},
		{"connect.poll_interval", "HEADRACE_CONNECT_POLL_INTERVAL", "pause between polls",
			func(c *Config) value { return durationValue{to: &c.Connect.PollInterval, min: minPoll} }},
		{"connect.page_size", "HEADRACE_CONNECT_PAGE_SIZE", "requests a page, 1 to 1000",
			func(c *Config) value { return intValue{to: &c.Connect.PageSize, min: 1, max: 1000} }},
		{"products", "HEADRACE_PRODUCTS", "comma-separated product ids to process; none is those with profiles, without any every product that the key sees",
			func(c *Config) value { return listValue{&c.Products} }},
		{keyVendor, "HEADRACE_VENDOR_ENDPOINT", "base URL of the vendor API; may have a path",
			func(c *Config) value { return httpValue{&c.Vendor.Endpoint} }},
		{"vendor.idempotency", "HEADRACE_VENDOR_IDEMPOTENCY", "key: the vendor honours Idempotency-Key; none: it does not",
			func(c *Config) value {
				return choiceValue[Idempotency]{to: &c.Vendor.Idempotency, of: []Idempotency{IdempotencyKey, IdempotencyNone}}
			}},
	}
	t = append(t, brokerSettings()...)
	t = append(t, processSettings()...)
	return append(t, retentionSettings()...)
}

func brokerSettings() []setting {
	return []setting{
		{keyNATS, "HEADRACE_NATS_URL", "broker(s) to use; unset is the embedded one, in up",
			func(c *Config) value { return brokerValue{&c.NATS.URL} }},
		{"nats.creds", "HEADRACE_NATS_CREDS", "credentials file for it",
			func(c *Config) value { return textValue{&c.NATS.Creds} }},
		{"nats.ca", "HEADRACE_NATS_CA", "CA certificates to trust",
			func(c *Config) value { return textValue{&c.NATS.CA} }},
		{"nats.cert", "HEADRACE_NATS_CERT", "client certificate",
			func(c *Config) value { return textValue{&c.NATS.Cert} }},
		{"nats.key", "HEADRACE_NATS_KEY", "the client certificate's key",
			func(c *Config) value { return textValue{&c.NATS.Key} }},
		{"nats.listen", "HEADRACE_NATS_LISTEN", "host:port where the embedded broker admits others",
			func(c *Config) value { return addressValue{to: &c.NATS.Listen} }},
		{"replicas", "HEADRACE_REPLICAS", "replicas of streams and consumers; 0 is 3 in a cluster of three or more, else 1",
			func(c *Config) value { return intValue{to: &c.NATS.Replicas, max: 5, zero: "auto"} }},
		{keyDataDir, "HEADRACE_DATA_DIR", "where the embedded broker keeps its streams",
			func(c *Config) value { return textValue{&c.DataDir} }},
		{"sync", "HEADRACE_SYNC", "always or a duration: when the embedded broker syncs to disk",
			func(c *Config) value { return syncValue{&c.Sync} }},
	}
}

func processSettings() []setting {
	t := []setting{
		{keyConcurrency, "HEADRACE_CONCURRENCY", "requests in flight per service in each process",
			func(c *Config) value { return intValue{to: &c.Concurrency.Default, min: 1, max: maxConcurrency} }},
	}
	for _, name := range Services() {
		t = append(t, setting{
			"concurrency." + name, "HEADRACE_CONCURRENCY_" + strings.ToUpper(name), "the same for " + name,
			func(c *Config) value { return serviceValue{c: &c.Concurrency, service: name, min: 1} },
		})
	}
	t = append(t, totalSettings()...)
	return append(t,
		setting{"drain_timeout", "HEADRACE_DRAIN_TIMEOUT", "what SIGTERM waits for",
			func(c *Config) value { return durationValue{to: &c.DrainTimeout, zero: true} }},
		setting{"http_addr", "HEADRACE_HTTP_ADDR", "health, metrics, console; off for none",
			func(c *Config) value { return addressValue{to: &c.HTTPAddr, off: true} }},
		setting{"dry_run", "HEADRACE_DRY_RUN", "decide, but write to neither vendor nor Connect",
			func(c *Config) value { return boolValue{&c.DryRun} }},
		setting{"conversations", "HEADRACE_CONVERSATIONS", "tell people in a request's conversation that it is held, failed or waits for long",
			func(c *Config) value { return boolValue{&c.Conversations} }},
		setting{"events_personal_data", "HEADRACE_EVENTS_PERSONAL_DATA", "let names, addresses and all parameters but secret ones out in events",
			func(c *Config) value { return boolValue{&c.EventsPersonalData} }},
		setting{"log.level", "HEADRACE_LOG_LEVEL", "trace, debug, info, warn or error",
			func(c *Config) value {
				return choiceValue[string]{to: &c.Log.Level, of: []string{"trace", "debug", "info", "warn", "error"}}
			}},
		setting{"log.format", "HEADRACE_LOG_FORMAT", "text or json; unset is text on a terminal, else json",
			func(c *Config) value {
				return choiceValue[string]{to: &c.Log.Format, of: []string{"text", "json"}, any: "auto"}
			}},
	)
}

// totalSettings leave the fetcher out: what a process has in flight of a poll it
// takes from no queue.
func totalSettings() []setting {
	t := []setting{
		{keyTotal, "HEADRACE_TOTAL_CONCURRENCY", "requests in flight per service over all processes; 0 is no bound",
			func(c *Config) value {
				return intValue{to: &c.TotalConcurrency.Default, max: maxTotal, zero: "none"}
			}},
	}
	for _, name := range Services() {
		if name == "fetcher" {
			continue
		}
		t = append(t, setting{
			"total_concurrency." + name, "HEADRACE_TOTAL_CONCURRENCY_" + strings.ToUpper(name), "the same for " + name,
			func(c *Config) value {
				return serviceValue{c: &c.TotalConcurrency, service: name, max: maxTotal, zero: "none"}
			},
		})
	}
	return t
}

func retentionSettings() []setting {
	return []setting{
		{"retention.requests_max_age", "HEADRACE_REQUESTS_MAX_AGE", "how long requests are kept; 0 is for ever",
			func(c *Config) value { return durationValue{to: &c.Retention.Requests, min: minAge, zero: true} }},
		{"retention.results_max_age", "HEADRACE_RESULTS_MAX_AGE", "the same for results and intents",
			func(c *Config) value { return durationValue{to: &c.Retention.Results, min: minAge, zero: true} }},
		{"retention.events_max_age", "HEADRACE_EVENTS_MAX_AGE", "the same for events",
			func(c *Config) value { return durationValue{to: &c.Retention.Events, min: minAge, zero: true} }},
		{"retention.dead_max_age", "HEADRACE_DEAD_MAX_AGE", "the same for dead letters",
			func(c *Config) value { return durationValue{to: &c.Retention.Dead, min: minAge, zero: true} }},
		{"retention.max_bytes", "HEADRACE_MAX_BYTES", "size limit of each stream; 0 is none",
			func(c *Config) value { return sizeValue{&c.Retention.MaxBytes} }},
	}
}

// serviceValue is an entry of Concurrency.Services; without one it shows the
// default.
type serviceValue struct {
	c        *Concurrency
	service  string
	min, max int    // max 0 is maxConcurrency
	zero     string // what 0 is shown as
}

func (v serviceValue) Set(s string) error {
	var n int
	if err := (intValue{to: &n, min: v.min, max: cmp.Or(v.max, maxConcurrency)}).Set(s); err != nil {
		return err
	}
	if v.c.Services == nil {
		v.c.Services = map[string]int{}
	}
	v.c.Services[v.service] = n
	return nil
}

func (v serviceValue) String() string {
	n := v.c.For(v.service)
	return intValue{to: &n, zero: v.zero}.String()
}
