package rql

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// maxDepth bounds nesting, so that a hostile query can't exhaust the stack.
const maxDepth = 100

type parser struct {
	in    []rune
	pos   int
	depth int
	query *Query
}

func (p *parser) fault(format string, args ...any) error {
	return fmt.Errorf("%w: at %d: %s", ErrSyntax, p.pos, fmt.Sprintf(format, args...))
}

func (p *parser) peek() rune {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

func (p *parser) accept(r rune) bool {
	if p.pos < len(p.in) && p.in[p.pos] == r {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(r rune) error {
	if !p.accept(r) {
		return p.fault("expected %q", r)
	}
	return nil
}

// sequence reads terms joined by one kind of separator, up to a closing
// parenthesis or the end. Only at the top may it hold what is no filter:
// ordering, select, limit, offset and search, which yield a nil node.
func (p *parser) sequence(top bool) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fault("nested too deeply")
	}
	defer func() { p.depth-- }()
	var parts []node
	var and, or bool
	for {
		n, err := p.term(top)
		if err != nil {
			return nil, err
		}
		if n != nil {
			parts = append(parts, n)
		}
		switch r := p.peek(); {
		case p.pos < len(p.in) && (r == '&' || r == ','):
			and = true
		case p.pos < len(p.in) && (r == '|' || r == ';'):
			or = true
		default:
			return join(parts, or), nil
		}
		if and && or {
			return nil, p.fault("and and or need parentheses")
		}
		p.pos++
	}
}

func join(parts []node, or bool) node {
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	return logic{or: or, parts: parts}
}

func (p *parser) term(top bool) (node, error) {
	if p.accept('(') {
		n, err := p.sequence(false)
		if err != nil {
			return nil, err
		}
		return n, p.expect(')')
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if p.accept('(') {
		n, err := p.call(name, top)
		if err != nil {
			return nil, err
		}
		return n, p.expect(')')
	}
	return p.assignment(name, top)
}

func (p *parser) call(name string, top bool) (node, error) {
	switch name {
	case "and", "or":
		return p.logic(name == "or")
	case "not":
		n, err := p.sequence(false)
		return negation{n}, err
	case "ordering", "select":
		if !top {
			return nil, p.fault("%s belongs to the top", name)
		}
		return nil, p.signed(name)
	}
	if !slices.Contains(operators, name) {
		return nil, p.fault("unknown operator %q", name)
	}
	prop, err := p.name()
	if err != nil {
		return nil, err
	}
	if err := p.expect(','); err != nil {
		return nil, err
	}
	return p.comparison(prop, name)
}

func (p *parser) logic(or bool) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fault("nested too deeply")
	}
	defer func() { p.depth-- }()
	var parts []node
	for {
		n, err := p.term(false)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
		if !p.accept(',') && !p.accept('&') {
			return logic{or: or, parts: parts}, nil
		}
	}
}

// signed reads the list of ordering(...) or select(...).
func (p *parser) signed(kind string) error {
	for p.peek() != ')' {
		minus := p.accept('-')
		if !minus {
			p.accept('+')
		}
		name, err := p.name()
		if err != nil {
			return err
		}
		switch {
		case kind == "ordering":
			p.query.order = append(p.query.order, sortKey{path: splitPath(name), down: minus})
		case minus:
			p.query.Hide = append(p.query.Hide, name)
		default:
			p.query.Show = append(p.query.Show, name)
		}
		if !p.accept(',') {
			break
		}
	}
	return nil
}

// assignment reads what follows a name in `prop=val` and `prop=op=val`.
func (p *parser) assignment(name string, top bool) (node, error) {
	if err := p.expect('='); err != nil {
		return nil, err
	}
	// The older clients write a list as prop__in=A,B, where the comma would
	// otherwise begin the next term.
	if prop, ok := strings.CutSuffix(name, "__in"); ok {
		operands, err := p.operands()
		return newCompare(prop, "in", operands), err
	}
	start := p.pos
	if op, err := p.name(); err == nil && slices.Contains(operators, op) && p.accept('=') {
		return p.comparison(name, op)
	}
	p.pos = start
	value, err := p.operand()
	if err != nil {
		return nil, err
	}
	if top && p.keep(name, value.text) {
		return nil, nil
	}
	return newCompare(name, "eq", []operand{value}), nil
}

// keep stores a term that steers the list instead of filtering it.
func (p *parser) keep(name, value string) bool {
	switch name {
	case "limit":
		p.query.Limit = value
	case "offset":
		p.query.Offset = value
	case "search":
		p.query.Search = value
	default:
		return false
	}
	return true
}

func (p *parser) comparison(prop, op string) (node, error) {
	if op != "in" && op != "out" {
		o, err := p.operand()
		return newCompare(prop, op, []operand{o}), err
	}
	if err := p.expect('('); err != nil {
		return nil, err
	}
	if p.accept(')') {
		return newCompare(prop, op, nil), nil
	}
	operands, err := p.operands()
	if err != nil {
		return nil, err
	}
	return newCompare(prop, op, operands), p.expect(')')
}

func (p *parser) operands() ([]operand, error) {
	var list []operand
	for {
		o, err := p.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if !p.accept(',') {
			return list, nil
		}
	}
}

func (p *parser) operand() (operand, error) {
	if q := p.peek(); q == '"' || q == '\'' {
		return p.quoted(q)
	}
	start := p.pos
	for p.pos < len(p.in) && valueRune(p.in[p.pos], p.pos == start) {
		p.pos++
	}
	text := string(p.in[start:p.pos])
	if text == "" {
		return operand{}, p.fault("expected a value; what is no word needs quotes")
	}
	if p.accept('(') {
		if err := p.expect(')'); err != nil {
			return operand{}, err
		}
		switch text {
		case "null":
			return operand{null: true}, nil
		case "empty":
			return operand{empty: true}, nil
		}
		return operand{}, p.fault("unknown value %s()", text)
	}
	return newOperand(text), nil
}

func (p *parser) quoted(quote rune) (operand, error) {
	p.pos++
	end := slices.Index(p.in[p.pos:], quote)
	if end < 0 {
		return operand{}, p.fault("no closing quote")
	}
	text := string(p.in[p.pos : p.pos+end])
	p.pos += end + 1
	return newOperand(text), nil
}

func (p *parser) name() (string, error) {
	start := p.pos
	for p.pos < len(p.in) {
		r := p.in[p.pos]
		if !unicode.IsLetter(r) && (p.pos == start || !(unicode.IsDigit(r) || strings.ContainsRune("_-.", r))) {
			break
		}
		p.pos++
	}
	if p.pos == start {
		return "", p.fault("expected a name")
	}
	return string(p.in[start:p.pos]), nil
}

func valueRune(r rune, first bool) bool {
	if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' {
		return true
	}
	if first {
		return strings.ContainsRune(`-*+\`, r)
	}
	return strings.ContainsRune(` .-:+@*\`, r)
}
