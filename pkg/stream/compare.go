package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// FaultKind says in what way the broker differs from what is declared.
type FaultKind string

// The kinds of Fault.
const (
	Missing FaultKind = "missing" // it is not there
	Differs FaultKind = "differs" // it can be changed to what is declared
	Refused FaultKind = "refused" // it differs in what the broker does not change
	// Foreign differs because another process declares it so: one of another
	// version, or with other settings. Whoever started last has its way.
	Foreign FaultKind = "foreign"
	// Paused is a consumer that an operator has paused. It is no fault to mend.
	Paused FaultKind = "paused"
)

// Fault is where the broker has something else than a Topology declares.
type Fault struct {
	Kind   FaultKind
	Stream string
	// Durable is "" where the fault is the stream's own.
	Durable string
	// Detail says in what it differs: "max_age is 1h0m0s, declared 720h0m0s".
	Detail string
}

// Object names what has the fault.
func (f Fault) Object() string {
	if f.Durable != "" {
		return "consumer " + f.Durable + " of " + f.Stream
	}
	return "stream " + f.Stream
}

// String is one line for people.
func (f Fault) String() string {
	switch f.Kind {
	case Missing:
		return f.Object() + " is not there"
	case Refused:
		return f.refusal().Error()
	case Foreign:
		return f.Object() + " is declared otherwise by a process that started later: " + f.Detail
	case Paused:
		return f.Object() + " is paused " + f.Detail
	case Differs:
	}
	return f.Object() + ": " + f.Detail
}

// refusal is the fault as an error, with what can be done about it.
func (f Fault) refusal() error {
	what := "its messages are lost with it"
	if f.Durable != "" {
		what = "no message is lost by that"
	}
	return fmt.Errorf("%w: %s: %s; delete it (%s), and it is made as declared", ErrUnchangeable, f.Object(), f.Detail, what)
}

// ErrUnchangeable says that a stream or durable differs from what is declared, in what
// the broker does not change once it is made.
var ErrUnchangeable = errors.New("the broker has it otherwise and does not change it")

// Compare tells where the broker differs from t. It changes nothing. Consumers
// of a stream that is not there are not told.
func (c *Client) Compare(ctx context.Context, t Topology) ([]Fault, error) {
	var faults []Fault
	gone := map[string]bool{}
	for _, s := range t.Streams {
		e, err := c.examineStream(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("look at stream %s: %w", s.Name, err)
		}
		gone[s.Name] = e.fault.Kind == Missing
		if e.fault.Kind != "" {
			faults = append(faults, e.fault)
		}
	}
	for _, d := range t.Consumers {
		if gone[d.Stream] {
			continue
		}
		e, err := c.examineConsumer(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("look at consumer %s of %s: %w", d.Durable, d.Stream, err)
		}
		if e.fault.Kind != "" {
			faults = append(faults, e.fault)
		}
	}
	return faults, nil
}

// streamExam is what there is of a stream, and what there should be.
type streamExam struct {
	fault      Fault // of Kind "" if it is as declared
	have, want jetstream.StreamConfig
	last       uint64
}

func (c *Client) examineStream(ctx context.Context, s Stream) (streamExam, error) {
	e := streamExam{fault: Fault{Stream: s.Name}}
	found, err := c.js.Stream(ctx, s.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		e.fault.Kind = Missing
		return e, nil
	}
	if err != nil {
		return e, err
	}
	info := found.CachedInfo()
	e.last, e.have, e.want = info.State.LastSeq, info.Config, s.config(info.Config)
	if c.opts.Replicas > 0 {
		e.want.Replicas = c.opts.Replicas
	}
	if fixed := fixedOf(e.have, e.want); len(fixed) > 0 {
		e.fault.Kind, e.fault.Detail = Refused, strings.Join(fixed, "; ")
		return e, nil
	}
	e.fault.judge(differences(e.have, e.want), e.have.Metadata, e.want.Metadata)
	return e, nil
}

// fixedOf tells in what a stream differs that the broker does not change.
func fixedOf(have, want jetstream.StreamConfig) []string {
	var fixed []string
	if have.Storage != want.Storage {
		fixed = append(fixed, difference("storage", have.Storage, want.Storage))
	}
	if have.Retention != want.Retention && have.Retention == jetstream.WorkQueuePolicy {
		fixed = append(fixed, difference("retention", have.Retention, want.Retention))
	}
	if have.Sealed {
		fixed = append(fixed, "it is sealed: nothing more can be stored in it")
	}
	if have.Mirror != nil {
		fixed = append(fixed, "it is a mirror of "+have.Mirror.Name)
	}
	return fixed
}

// consumerExam is streamExam for a durable.
type consumerExam struct {
	fault      Fault
	have, want jetstream.ConsumerConfig
}

func (c *Client) examineConsumer(ctx context.Context, d Consumer) (consumerExam, error) {
	e := consumerExam{fault: Fault{Stream: d.Stream, Durable: d.Durable}}
	found, err := c.js.Consumer(ctx, d.Stream, d.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		e.fault.Kind = Missing
		return e, nil
	}
	if err != nil {
		return e, err
	}
	info := found.CachedInfo()
	e.have = normalFilters(info.Config)
	e.want = d.config(info.Config)
	if e.have.AckPolicy != jetstream.AckExplicitPolicy || e.have.DeliverSubject != "" {
		e.fault.Kind, e.fault.Detail = Refused, "it is not a pull consumer with explicit acknowledgement"
		return e, nil
	}
	e.fault.judge(differences(e.have, e.want), e.have.Metadata, e.want.Metadata)
	if e.fault.Kind == "" && info.Paused {
		e.fault.Kind = Paused
		if until := info.Config.PauseUntil; until != nil {
			e.fault.Detail = "until " + until.UTC().Format(time.RFC3339)
		}
	}
	return e, nil
}

// judge makes of differences what is to be done about them.
func (f *Fault) judge(diffs []string, have, want map[string]string) {
	if len(diffs) == 0 {
		return
	}
	f.Kind, f.Detail = Differs, strings.Join(diffs, "; ")
	if by := have[metaDeclared]; by != "" && by != want[metaDeclared] {
		f.Kind = Foreign
	}
}

// differences tells in which fields, by their names in the broker's API, have
// is not want. Metadata apart: it says who declared it.
func differences(have, want any) []string {
	var diffs []string
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range h.NumField() {
		name, _, _ := strings.Cut(h.Type().Field(i).Tag.Get("json"), ",")
		a, b := h.Field(i).Interface(), w.Field(i).Interface()
		if name == "metadata" || reflect.DeepEqual(a, b) {
			continue
		}
		diffs = append(diffs, difference(name, a, b))
	}
	return diffs
}

func difference(name string, have, want any) string {
	return fmt.Sprintf("%s is %v, declared %v", name, have, want)
}

// metaDeclared is the key of the metadata that tells who declared a stream or
// durable: two versions that run at once must not undo each other's changes.
const metaDeclared = "headrace-declared"

// declaredBy is meta with the mark of the declaration.
func declaredBy(meta map[string]string, declaration any) map[string]string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", declaration))
	out := map[string]string{}
	maps.Copy(out, meta)
	out[metaDeclared] = hex.EncodeToString(sum[:6])
	return out
}
