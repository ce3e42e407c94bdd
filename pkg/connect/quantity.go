package connect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// ErrQuantity is returned for what is not a quantity.
var ErrQuantity = errors.New("not a quantity")

// The bounds of a quantity. They are far beyond what is sold, and keep 1e999999999,
// ten bytes, from becoming a gigabyte of digits.
const (
	maxQuantityText     = 64
	maxQuantityExponent = 32
)

// Quantity is how much of an item is ordered: a decimal, or without limit.
// Connect sends it as a string or a number, "unlimited" or -1. The zero
// Quantity is 0, which also stands for null and "".
type Quantity struct {
	Value     decimal.Decimal // 0 where Unlimited
	Unlimited bool
}

// NewQuantity returns n as a Quantity; -1 is without limit.
func NewQuantity(n int64) Quantity { return quantityOf(decimal.NewFromInt(n)) }

// ParseQuantity reads a decimal, "unlimited" in any case, or "" for 0. It fails
// with ErrQuantity, also on numbers beyond 64 characters or an exponent of 32.
func ParseQuantity(s string) (Quantity, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return Quantity{}, nil
	case len(s) > maxQuantityText:
		return Quantity{}, fmt.Errorf("%w: %d characters", ErrQuantity, len(s))
	case strings.EqualFold(s, "unlimited"):
		return Quantity{Unlimited: true}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		if n == 0 {
			return Quantity{}, nil
		}
		return NewQuantity(n), nil
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return Quantity{}, fmt.Errorf("%w: %q", ErrQuantity, s)
	}
	if d.IsZero() {
		return Quantity{}, nil
	}
	if e := d.Exponent(); e > maxQuantityExponent || e < -maxQuantityExponent {
		return Quantity{}, fmt.Errorf("%w: %q is out of bounds", ErrQuantity, s)
	}
	return quantityOf(d), nil
}

func quantityOf(d decimal.Decimal) Quantity {
	if d.Equal(decimal.NewFromInt(-1)) {
		return Quantity{Unlimited: true}
	}
	return Quantity{Value: d}
}

// IsZero reports whether nothing is ordered.
func (q Quantity) IsZero() bool { return !q.Unlimited && q.Value.IsZero() }

// Equal reports whether q and p are the same amount, however they are written.
func (q Quantity) Equal(p Quantity) bool { return q.Cmp(p) == 0 }

// Cmp is -1, 0 or +1 as q is less than, equal to or more than p. Unlimited is
// more than any number, and equal to itself.
func (q Quantity) Cmp(p Quantity) int {
	switch {
	case q.Unlimited && p.Unlimited:
		return 0
	case q.Unlimited:
		return 1
	case p.Unlimited:
		return -1
	}
	return q.Value.Cmp(p.Value)
}

// String is the plain decimal without exponent or trailing zeros, or
// "unlimited".
func (q Quantity) String() string {
	if q.Unlimited {
		return "unlimited"
	}
	return q.Value.String()
}

// MarshalJSON writes a JSON number, or the string "unlimited".
func (q Quantity) MarshalJSON() ([]byte, error) {
	if q.Unlimited {
		return []byte(`"unlimited"`), nil
	}
	return []byte(q.String()), nil
}

// UnmarshalJSON reads a number, a string as ParseQuantity does, or null.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	text := strings.TrimSpace(string(b))
	switch {
	case text == "null":
		text = ""
	case strings.HasPrefix(text, `"`):
		var err error
		if text, err = unquote([]byte(text)); err != nil {
			return err
		}
	case text == "":
		return fmt.Errorf("%w: no value", ErrQuantity)
	}
	got, err := ParseQuantity(text)
	if err != nil {
		return err
	}
	*q = got
	return nil
}
