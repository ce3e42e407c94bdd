package profile

import (
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

func (f *faults) truth(t text) bool {
	if !t.given() {
		return false
	}
	b, err := strconv.ParseBool(t.Value)
	if err != nil {
		f.add(t.At, "is neither true nor false; use one of them")
	}
	return b
}

func (f *faults) number(t text) *decimal.Decimal {
	if !t.given() {
		return nil
	}
	d, err := decimal.NewFromString(t.Value)
	if err != nil || d.Exponent() > 32 || d.Exponent() < -32 {
		f.add(t.At, "is not a number")
		return nil
	}
	return &d
}

func (f *faults) duration(t text) time.Duration {
	if !t.given() {
		return 0
	}
	d, err := time.ParseDuration(t.Value)
	if err != nil || d <= 0 {
		f.add(t.At, "is not a duration; write it like 30s, 10m or 24h")
	}
	return d
}

func values(list []text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Value
	}
	return out
}
