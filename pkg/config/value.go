package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads one field of a Config from text, and shows it. Set's error says
// what is wrong and, after a semicolon, what to do.
type value interface {
	Set(text string) error
	String() string
}

type textValue struct{ to *string }

func (v textValue) Set(s string) error { *v.to = s; return nil }
func (v textValue) String() string     { return *v.to }

// secretValue never repeats its text in an error.
type secretValue struct{ to *Secret }

func (v secretValue) Set(s string) error {
	key, ok := apiKey(s)
	if !ok {
		return errors.New("is not a Connect API key; a key looks like ApiKey SU-000-000-000:abcdef, " +
			"copy it from Connect under Integrations, Tokens")
	}
	*v.to = NewSecret(key)
	return nil
}
func (v secretValue) String() string { return v.to.String() }

// apiKey takes a key with or without its prefix and returns it without.
func apiKey(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if word, rest, ok := strings.Cut(s, " "); ok && strings.EqualFold(word, "ApiKey") {
		s = strings.TrimSpace(rest)
	}
	user, secret, ok := strings.Cut(s, ":")
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	// Keys of integrations begin with SU, those of people with UR.
	kind, number, dash := strings.Cut(user, "-")
	if !ok || !dash || len(kind) != 2 || number == "" || secret == "" || strings.ContainsFunc(s, bad) {
		return "", false
	}
	return s, true
}

type httpValue struct{ to *URL }

func (v httpValue) Set(s string) error {
	const hint = "write it like https://host:port/path"
	shown := URL(s).String()
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a URL; %s", shown, hint)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q does not begin with http:// or https://; %s", shown, hint)
	case u.Hostname() == "":
		return fmt.Errorf("%q names no host; %s", shown, hint)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has a query or a fragment; give the base URL alone", shown)
	}
	*v.to = URL(strings.TrimRight(s, "/"))
	return nil
}
func (v httpValue) String() string { return v.to.String() }

type brokerValue struct{ to *URL }

func (v brokerValue) Set(s string) error {
	var out []string
	for _, one := range strings.Split(s, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		full := one
		if !strings.Contains(one, "://") {
			full = "nats://" + one
		}
		u, err := url.Parse(full)
		if err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return fmt.Errorf("%q is not a broker's address; write it like nats://host:4222, several with commas",
				URL(one).String())
		}
		out = append(out, full)
	}
	*v.to = URL(strings.Join(out, ","))
	return nil
}
func (v brokerValue) String() string { return v.to.String() }

type choiceValue[T ~string] struct {
	to  *T
	of  []T
	any string // what an empty value is shown as
}

func (v choiceValue[T]) Set(s string) error {
	t := T(strings.ToLower(s))
	if !slices.Contains(v.of, t) {
		words := make([]string, len(v.of))
		for i, o := range v.of {
			words[i] = string(o)
		}
		return fmt.Errorf("%q is unknown; use %s", s, orList(words))
	}
	*v.to = t
	return nil
}

func (v choiceValue[T]) String() string {
	if *v.to == "" {
		return v.any
	}
	return string(*v.to)
}

type durationValue struct {
	to       *time.Duration
	min, max time.Duration // max 0 is without
	zero     bool          // whether 0 is allowed, whatever min says
}

func (v durationValue) Set(s string) error {
	d, err := duration(s)
	if err != nil {
		return err
	}
	switch {
	case d == 0 && v.zero:
	case d < v.min || d <= 0:
		return fmt.Errorf("%q is too short; use %s or more", s, v.min)
	case v.max > 0 && d > v.max:
		return fmt.Errorf("%q is too long; use %s or less", s, v.max)
	}
	*v.to = d
	return nil
}
func (v durationValue) String() string { return v.to.String() }

func duration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, nil
	}
	if _, e := strconv.ParseFloat(s, 64); e == nil {
		return 0, fmt.Errorf("%q lacks a unit; write it like %ss, %sm or %sh", s, s, s, s)
	}
	return 0, fmt.Errorf("%q is not a duration; write it like 30s, 2m or 720h", s)
}

type syncValue struct{ to *Sync }

func (v syncValue) Set(s string) error {
	if strings.EqualFold(s, "always") {
		*v.to = Sync{Always: true}
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither always nor a duration; use always, or say with a duration like 2s "+
			"how much a power cut may lose", s)
	}
	*v.to = Sync{Interval: d}
	return nil
}

func (v syncValue) String() string {
	if v.to.Always {
		return "always"
	}
	return v.to.Interval.String()
}

type intValue struct {
	to       *int
	min, max int
	zero     string // what 0 is shown as
}

func (v intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("%q is not a whole number from %d to %d; use one", s, v.min, v.max)
	}
	*v.to = n
	return nil
}

func (v intValue) String() string {
	if *v.to == 0 && v.zero != "" {
		return v.zero
	}
	return strconv.Itoa(*v.to)
}

type sizeValue struct{ to *int64 }

func (v sizeValue) Set(s string) error {
	number, unit := s, int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size; write it in bytes, or like 512MiB or 10GiB, 0 for no limit", s)
	}
	*v.to = n * unit
	return nil
}
func (v sizeValue) String() string { return strconv.FormatInt(*v.to, 10) }

type boolValue struct{ to *bool }

func (v boolValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false; use one of them", s)
	}
	*v.to = b
	return nil
}
func (v boolValue) String() string { return strconv.FormatBool(*v.to) }

type listValue struct{ to *[]string }

func (v listValue) Set(s string) error {
	var out []string
	for _, one := range strings.Split(s, ",") {
		one = strings.TrimSpace(one)
		if strings.ContainsAny(one, " \t\r\n") {
			return fmt.Errorf("%q has a space in it; separate ids with commas", one)
		}
		if one != "" && !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	*v.to = out
	return nil
}
func (v listValue) String() string { return strings.Join(*v.to, ",") }

type addressValue struct {
	to  *string
	off bool // whether HTTPOff is a value
}

func (v addressValue) Set(s string) error {
	if v.off && s == HTTPOff {
		*v.to = s
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	_, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || strings.Contains(host, "/") {
		return fmt.Errorf("%q is not host:port; write it like 127.0.0.1:8080", s)
	}
	*v.to = s
	return nil
}
func (v addressValue) String() string { return *v.to }

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
