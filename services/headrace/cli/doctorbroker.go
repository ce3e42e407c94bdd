package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/headrace/headrace/pkg/broker"
	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/telemetry"
)

// broker checks the broker that is configured, or the data directory of the
// embedded one.
func (e *examination) broker(ctx context.Context) {
	const check = "broker"
	embedded := e.cfg.NATS.URL == ""
	if embedded {
		e.dataDir()
	}
	c, err := e.program.reach(ctx, e.cfg)
	switch {
	case embedded && errors.Is(err, broker.ErrNotRunning):
		e.ok(check, "none runs in %s now; headrace up brings its own", e.cfg.DataDir)
	case err != nil:
		e.fail(check, "check the nats settings, and that the broker runs", "%s", strings.ReplaceAll(err.Error(), "\n", ": "))
	default:
		defer c.Close()
		e.ok(check, "reached at %s", c.Status().Server)
		e.streams(ctx, c)
		e.declared(ctx, c)
	}
	e.durability(embedded)
}

// dataDir looks at the data directory from outside: the streams' files belong
// to the broker alone.
func (e *examination) dataDir() {
	const check = "data"
	dir := e.program.path(e.cfg.DataDir)
	name := e.cfg.Name("data_dir")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.ok(check, "%s is not there yet; headrace up makes it", e.cfg.DataDir)
		return
	case err != nil:
		e.fail(check, "make it readable for this user, or set "+name+" to another", "%v", err)
		return
	case !info.IsDir():
		e.fail(check, "set "+name+" to a directory", "%s is not a directory", e.cfg.DataDir)
		return
	}
	if access, err := broker.ReadAccess(dir); err == nil {
		e.ok(check, "%s is in use by process %d", e.cfg.DataDir, access.PID)
		return
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		e.fail(check, "make it writable for this user, or set "+name+" to another", "%v", err)
		return
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		e.warn(check, "remove it", "%v", err)
		return
	}
	e.ok(check, "%s can be written, and nobody uses it", e.cfg.DataDir)
}

// streams tells which of the streams are there, and whether the limits that are
// in force keep what was decided about a request as long as the request.
func (e *examination) streams(ctx context.Context, c *stream.Client) {
	const check = "streams"
	var ages config.Retention // of those that are there
	there := false            // the stream of requests
	for _, of := range []struct {
		name string
		age  *time.Duration
	}{
		{fulfillment.StreamRequests, &ages.Requests}, {fulfillment.StreamResults, &ages.Results},
		{fulfillment.StreamEvents, &ages.Events}, {fulfillment.StreamDead, &ages.Dead},
	} {
		s, err := c.StreamState(ctx, of.name)
		switch {
		case errors.Is(err, stream.ErrNoStream):
			e.warn(check, "it is made when the services start", "%s is not there", of.name)
		case err != nil:
			e.fail(check, "see the broker's log", "%s: %v", of.name, err)
		default:
			*of.age, there = s.MaxAge, there || of.name == fulfillment.StreamRequests
			e.ok(check, "%s: %d messages, kept %s, %d replicas", of.name, s.Messages, kept(s.MaxAge), s.Replicas)
			e.room(check, s)
		}
	}
	if !there {
		return
	}
	for _, record := range ages.TooShort() {
		e.fail(check, "start the services, which set the limits of the settings, or set them by hand",
			"%s are kept %s, and requests %s: a replayed request could be carried out twice", record, kept(ages.Age(record)), kept(ages.Requests))
	}
}

// room warns of a stream that is about to lose messages before their time.
func (e *examination) room(check string, s stream.StreamState) {
	const most = 80 // percent
	if s.MaxBytes <= 0 || s.Bytes < uint64(s.MaxBytes)/100*most {
		return
	}
	e.warn(check, "set "+e.cfg.Name("retention.max_bytes")+" higher, and restart the services",
		"%s has %d of %d bytes: when it is full it loses its oldest messages before their time", s.Name, s.Bytes, s.MaxBytes)
}

func kept(age time.Duration) string {
	if age <= 0 {
		return "for ever"
	}
	return "for " + age.String()
}

// durability says what a power cut could lose.
func (e *examination) durability(embedded bool) {
	const check = "sync"
	switch {
	case !embedded:
		e.warn(check, "set sync_interval: always in the jetstream block of nats-server, unless it runs with replicas on machines that do not fail together",
			"the broker's own setting decides what a power cut could lose; nats-server's default is up to two minutes of what it acknowledged")
	case e.cfg.Sync.Always:
		e.ok(check, "always: what is acknowledged is on disk, a power cut loses nothing")
	default:
		e.warn(check, "set "+e.cfg.Name("sync")+" to always", "%s: a power cut could lose what was acknowledged in the last %s", e.cfg.Sync.Interval, e.cfg.Sync.Interval)
	}
	if embedded && e.cfg.NATS.Listen != "" && !loopback(e.cfg.NATS.Listen) {
		e.warn("broker", "keep it to a trusted network, or run a nats-server with TLS",
			"%s admits others at %s without TLS", e.cfg.Name("nats.listen"), e.cfg.NATS.Listen)
	}
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// process asks a process that runs with these settings how it is.
func (e *examination) process(ctx context.Context) {
	const check = "process"
	if e.cfg.HTTPAddr == config.HTTPOff {
		return
	}
	report, err := askReady(ctx, "http://"+dialable(e.cfg.HTTPAddr)+"/readyz")
	if err != nil {
		e.ok(check, "none answers at %s", e.cfg.HTTPAddr)
		return
	}
	if report.Ready {
		e.ok(check, "the one at %s is ready", e.cfg.HTTPAddr)
	}
	for _, name := range slices.Sorted(maps.Keys(report.Parts)) {
		switch part := report.Parts[name]; {
		case part.OK:
		case part.Fatal:
			e.fail(check, "see the checks above, and its log", "the one at %s is not ready, %s: %s", e.cfg.HTTPAddr, name, part.Reason)
		default:
			e.warn(check, "see the checks above, and its log", "the one at %s has trouble, %s: %s", e.cfg.HTTPAddr, name, part.Reason)
		}
	}
}

// askReady fails if nobody answers, or somebody that is not Headrace.
func askReady(ctx context.Context, url string) (telemetry.Report, error) {
	var r telemetry.Report
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return r, err
	}
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer func() { _ = res.Body.Close() }()
	err = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&r)
	if err == nil && r.Parts == nil {
		err = errors.New("not headrace")
	}
	return r, err
}
