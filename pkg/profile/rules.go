package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/processor"
)

// check is a rule that was compiled.
type check struct {
	param, scope string
	when, valid  *expression
	required     bool
	pattern      *regexp.Regexp
	min, max     *decimal.Decimal
	choices      []string
	message      string
}

func (f *faults) check(r *rule) check {
	whether := kind{condition: true}
	c := check{
		param: r.Param.Value, scope: r.Scope.Value, when: f.compile(r.When, whether), valid: f.compile(r.Valid, whether),
		required: f.truth(r.Required), min: f.number(r.Min), max: f.number(r.Max), choices: values(r.Choices),
		message: r.Message.Value,
	}
	if c.scope == "" {
		c.scope = "asset"
	}
	if r.Pattern.given() {
		var err error
		if c.pattern, err = regexp.Compile("^(?:" + r.Pattern.Value + ")$"); err != nil {
			f.add(r.Pattern.At, "is not a regular expression: %v", err)
		}
	}
	if c.min != nil && c.max != nil && c.min.GreaterThan(*c.max) {
		f.add(r.Min.At, "is more than max")
	}
	if !c.required && !r.Pattern.given() && c.min == nil && c.max == nil && len(c.choices) == 0 && !r.Valid.given() {
		f.add(r.At, "checks nothing; add required, pattern, min, max, choices or valid")
	}
	if len([]rune(c.message)) > maxValueError {
		f.add(r.Message.At, "is longer than the %d characters that Connect shows", maxValueError)
	}
	return c
}

// maxValueError is what Connect takes as a parameter's error.
const maxValueError = 512

// wrong says what is wrong with the parameter's value, in a sentence for the
// customer; "" is nothing. What may be empty and is, is right.
func (c *check) wrong(w *processor.Work, o Order) (string, error) {
	holds, err := c.when.holds(o, true)
	if err != nil || !holds {
		return "", err
	}
	p := paramOf(w, c.param)
	if p == nil {
		if c.required {
			return "", fmt.Errorf("the request has no parameter %s, which the profile requires", c.param)
		}
		return "", nil
	}
	if p.Empty() {
		return c.say(c.required, "This field is required."), nil
	}
	if p.Value != "" { // it is, where the value is structured: only valid can see that
		if fault := c.content(p.Value); fault != "" {
			return fault, nil
		}
	}
	valid, err := c.valid.holds(o, true)
	return c.say(!valid, "This value is not accepted."), err
}

func paramOf(w *processor.Work, id string) *connect.Param {
	list := w.Params()
	if i := slices.IndexFunc(list, func(p connect.Param) bool { return p.ID == id }); i >= 0 {
		return &list[i]
	}
	return nil
}

// unanswerable says why the customer cannot correct a parameter; "" is that they
// can. An inquiry about it would wait for ever.
func unanswerable(p *connect.Param) string {
	switch {
	case p.Phase != connect.PhaseOrdering:
		return fmt.Sprintf("is of phase %q", p.Phase)
	case p.Constraints.Hidden:
		return "is hidden"
	case p.Constraints.Readonly:
		return "is readonly"
	}
	return ""
}

func (c *check) content(value string) string {
	switch {
	case c.pattern != nil && !c.pattern.MatchString(value):
		return c.say(true, "This value does not have the expected form.")
	case len(c.choices) > 0 && !slices.Contains(c.choices, value):
		return c.say(true, "Choose one of: "+strings.Join(c.choices, ", ")+".")
	case c.min == nil && c.max == nil:
		return ""
	}
	n, err := connect.ParseQuantity(value)
	switch {
	case err != nil || strings.EqualFold(strings.TrimSpace(value), "unlimited"):
		return c.say(true, "Enter a number.")
	case n.Unlimited: // which is how -1 is read where it is a quantity
		n.Value = decimal.NewFromInt(-1)
	}
	if c.min != nil && n.Value.LessThan(*c.min) {
		return c.say(true, "Enter a number of at least "+c.min.String()+".")
	}
	return c.say(c.max != nil && n.Value.GreaterThan(decimalOr(c.max, n.Value)), "Enter a number of at most "+decimalOr(c.max, n.Value).String()+".")
}

func (c *check) say(wrong bool, builtIn string) string {
	switch {
	case !wrong:
		return ""
	case c.message != "":
		return c.message
	}
	return builtIn
}

func decimalOr(d *decimal.Decimal, other decimal.Decimal) decimal.Decimal {
	if d == nil {
		return other
	}
	return *d
}

// scopeOf is whose parameters the request has.
func scopeOf(w *processor.Work) string {
	if w.Tier != nil {
		return fmt.Sprintf("tier%d", w.Tier.Configuration.TierLevel)
	}
	return "asset"
}

// customerFills lists the types with which a customer or reseller fills
// parameters in, and chooses quantities.
func customerFills(t fulfillment.Type) bool {
	return slices.Contains([]fulfillment.Type{
		fulfillment.Purchase, fulfillment.Change, fulfillment.TierSetup, fulfillment.TierUpdate,
	}, t)
}

// bound is a limit that was compiled.
type bound struct {
	item     string
	min, max *decimal.Decimal
	reason   string
}

func (f *faults) bound(l *limit) bound {
	b := bound{item: l.Item.Value, min: f.number(l.Min), max: f.number(l.Max), reason: l.Reason.Value}
	switch {
	case b.min == nil && b.max == nil:
		f.add(l.At, "limits nothing; add min or max")
	case b.min != nil && b.max != nil && b.min.GreaterThan(*b.max):
		f.add(l.Min.At, "is more than max")
	}
	return b
}

// broken says why the item's quantity is not sold; "" is that it is. What is
// not ordered keeps every limit, and so does what is paid by use: it is always
// without limit. A change is measured by its direction: what was sold once, and
// stays or comes nearer to the limit, is not refused.
func (b *bound) broken(i *connect.Item, before connect.Quantity) string {
	if b.item != "*" && b.item != i.MPN || i.Quantity.IsZero() || strings.EqualFold(i.ItemType, "PPU") {
		return ""
	}
	grown := i.Quantity.Cmp(before)
	reason := ""
	if b.min != nil && (grown < 0 || before.IsZero()) && i.Quantity.Cmp(connect.Quantity{Value: *b.min}) < 0 {
		reason = fmt.Sprintf("%s can be ordered from a quantity of %s on, and %s was ordered.", i.MPN, b.min, i.Quantity)
	}
	if b.max != nil && grown > 0 && i.Quantity.Cmp(connect.Quantity{Value: *b.max}) > 0 {
		reason = fmt.Sprintf("%s can be ordered up to a quantity of %s, and %s was ordered.", i.MPN, b.max, i.Quantity)
	}
	if reason != "" && b.reason != "" {
		return b.reason
	}
	return reason
}

// refused is a refusal that was compiled.
type refused struct {
	when   *expression
	types  []string
	reason string
}

func (f *faults) refused(r *refusal) refused {
	out := refused{when: f.compile(r.When, kind{condition: true}), types: values(r.Types), reason: r.Reason.Value}
	if len(out.types) == 0 {
		out.types = []string{string(fulfillment.Purchase), string(fulfillment.Change)}
	}
	return out
}
