package simfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The values of Fault.Drop.
const (
	DropBefore = "before" // no answer and no effect
	DropAfter  = "after"  // the effect, but no answer
)

// A Fault is what goes wrong with some calls. The package comment describes each field under its JSON name.
type Fault struct {
	Method      string
	Path        string
	Skip        int
	Times       int
	Probability *float64 // nil is 1
	Latency     time.Duration
	Jitter      time.Duration
	Status      int
	Body        json.RawMessage
	RetryAfter  string
	Drop        string
	Effect      bool
}

// wireFault is a Fault as JSON has it.
type wireFault struct {
	Method      string          `json:"method,omitempty"`
	Path        string          `json:"path,omitempty"`
	Skip        int             `json:"skip,omitempty"`
	Times       int             `json:"times,omitempty"`
	Probability *float64        `json:"probability,omitempty"`
	Latency     string          `json:"latency,omitempty"`
	Jitter      string          `json:"jitter,omitempty"`
	Status      int             `json:"status,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	RetryAfter  any             `json:"retry_after,omitempty"`
	Drop        string          `json:"drop,omitempty"`
	Effect      bool            `json:"effect,omitempty"`
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (f Fault) MarshalJSON() ([]byte, error) {
	w := wireFault{
		Method: f.Method, Path: f.Path, Skip: f.Skip, Times: f.Times, Probability: f.Probability,
		Status: f.Status, Body: f.Body, Drop: f.Drop, Effect: f.Effect,
	}
	if f.Latency != 0 {
		w.Latency = f.Latency.String()
	}
	if f.Jitter != 0 {
		w.Jitter = f.Jitter.String()
	}
	if f.RetryAfter != "" {
		w.RetryAfter = f.RetryAfter
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads a fault and refuses fields that are not known and values that make no sense.
func (f *Fault) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	var w wireFault
	if err := dec.Decode(&w); err != nil {
		return fieldError(err)
	}
	latency, errLatency := parseDuration("latency", w.Latency)
	jitter, errJitter := parseDuration("jitter", w.Jitter)
	retryAfter, errRetry := parseRetryAfter(w.RetryAfter)
	if err := errors.Join(errLatency, errJitter, errRetry); err != nil {
		return err
	}
	*f = Fault{
		Method: w.Method, Path: w.Path, Skip: w.Skip, Times: w.Times, Probability: w.Probability, Latency: latency,
		Jitter: jitter, Status: w.Status, Body: w.Body, RetryAfter: retryAfter, Drop: w.Drop, Effect: w.Effect,
	}
	return f.Validate()
}

// Validate joins all that is wrong with the fault; each message begins with the field's JSON name.
func (f Fault) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(f.Method == "*" || !strings.ContainsFunc(f.Method, notLetter), "method: %q is not a method", f.Method)
	check(f.Skip >= 0, "skip: %d is negative", f.Skip)
	check(f.Times >= 0, "times: %d is negative", f.Times)
	if p := f.Probability; p != nil {
		check(*p >= 0 && *p <= 1, "probability: %v is not between 0 and 1", *p)
	}
	check(f.Latency >= 0, "latency: %v is negative", f.Latency)
	check(f.Jitter >= 0, "jitter: %v is negative", f.Jitter)
	check(f.Jitter == 0 || f.Latency > 0, "jitter: needs latency")
	check(f.Status == 0 || f.Status >= 200 && f.Status <= 599, "status: %d is not between 200 and 599", f.Status)
	check(f.Status != 0 || len(f.Body) == 0, "body: needs status")
	check(len(f.Body) == 0 || json.Valid(f.Body), "body: not JSON")
	check(f.Status != 0 || f.RetryAfter == "", "retry_after: needs status")
	check(f.Drop == "" || f.Drop == DropBefore || f.Drop == DropAfter, `drop: %q is neither "before" nor "after"`, f.Drop)
	check(f.Drop == "" || f.Status == 0, "drop: excludes status")
	check(f.Drop == "" || !f.Effect, "effect: excludes drop")
	check(f.Latency > 0 || f.Status != 0 || f.Drop != "", "fault: needs latency, status or drop")
	return errors.Join(errs...)
}

// describe is the fault's effect in words, for Call.Fault.
func (f *Fault) describe() string {
	var parts []string
	if f.Latency > 0 {
		parts = append(parts, "latency "+f.Latency.String())
	}
	if f.Status != 0 {
		parts = append(parts, "status "+strconv.Itoa(f.Status))
	}
	if f.Drop != "" {
		parts = append(parts, "drop "+f.Drop)
	}
	if f.Effect {
		parts = append(parts, "effect")
	}
	return strings.Join(parts, ", ")
}

func notLetter(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }

func parseDuration(field, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf(`%s: %q is not a duration such as "20ms"`, field, s)
	}
	return d, nil
}

func parseRetryAfter(v any) (string, error) {
	var s string
	switch v := v.(type) {
	case nil:
		return "", nil
	case json.Number:
		s = v.String()
	case string:
		s = v
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return s, nil
	}
	if _, err := http.ParseTime(s); err == nil {
		return s, nil
	}
	return "", fmt.Errorf("retry_after: %v is neither whole seconds nor an HTTP date", v)
}

// fieldError says which field the decoder stumbled over, in the form of Validate's messages.
func fieldError(err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		return fmt.Errorf("%s: a JSON %s does not fit", mismatch.Field, mismatch.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("%s: not a field of a fault", strings.Trim(name, `"`))
	}
	return err
}
