package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/headrace/headrace/pkg/connect"
)

// limitOf is a quantity as it is sent: exact, or "unlimited".
func limitOf(q connect.Quantity) any {
	if q.Unlimited {
		return "unlimited"
	}
	return exact(q.Value)
}

// exact is a number that expressions can calculate with, where that loses
// nothing, else its digits.
func exact(d decimal.Decimal) any {
	if d.IsInteger() && d.Abs().LessThan(decimal.New(1, 15)) {
		return int(d.IntPart())
	}
	if f := d.InexactFloat64(); decimal.NewFromFloat(f).Equal(d) {
		return f
	}
	return json.Number(d.String())
}

// float is a quantity to compare with: near enough, and +Inf without limit.
func float(q connect.Quantity) float64 {
	if q.Unlimited {
		return math.Inf(1)
	}
	return q.Value.InexactFloat64()
}

// decodeAnswer reads JSON so that no number loses a digit. What is empty is nil.
func decodeAnswer(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is not JSON: there is more after it")
	}
	return withNumbers(v), nil
}

func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if q, err := connect.ParseQuantity(v.String()); err == nil && !q.Unlimited {
			return exact(q.Value)
		} else if q.Unlimited {
			return -1
		}
	case map[string]any:
		for k, one := range v {
			v[k] = withNumbers(one)
		}
	case []any:
		for i, one := range v {
			v[i] = withNumbers(one)
		}
	}
	return v
}

// written is a value as the text of a parameter, a header or a path. Nil is "".
func written(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", errInfinite
		}
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return encoded(v)
}

var errInfinite = errors.New("a quantity without limit is not a number; use limit, which is then \"unlimited\"")

// encoded is v as JSON.
func encoded(v any) (string, error) {
	b, err := json.Marshal(v)
	if unsupported := (*json.UnsupportedValueError)(nil); errors.As(err, &unsupported) {
		return "", errInfinite
	}
	return string(b), err
}
