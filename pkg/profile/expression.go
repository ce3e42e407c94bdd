package profile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// expression is one that was checked. A nil expression gives nil.
type expression struct {
	program *vm.Program
	where   string
}

// kind is what an expression sees and what it gives.
type kind struct{ answer, condition bool }

// compile checks t, and returns nil where it was not given or is wrong.
func (f *faults) compile(t text, k kind) *expression {
	if !t.given() {
		return nil
	}
	// No now(): a request that comes again must be decided as it was before.
	options := []expr.Option{expr.DisableBuiltin("now"), expr.Env(Order{})}
	if k.answer {
		options = append(options, expr.Env(Reply{}))
	}
	if k.condition {
		options = append(options, expr.AsBool())
	}
	program, err := expr.Compile(t.Value, options...)
	if err == nil {
		return &expression{program, fmt.Sprintf("%s:%d: %s", f.file, t.At.Line, t.At.Path)}
	}
	at, message := t.At, err.Error()
	if fault := (*file.Error)(nil); errors.As(err, &fault) {
		message = fault.Message
		if fault.Line > 0 {
			at.Line += fault.Line - 1
			message += fmt.Sprintf(", at character %d", fault.Column+1)
		}
	}
	message = strings.Join(strings.Fields(message), " ")
	if !k.answer && strings.Contains(message, "unknown name answer") {
		message += "; there is no answer before the call"
	}
	f.add(at, "%s", message)
	return nil
}

// run evaluates the expression; its error is one line that says where it is, and
// shows no value.
func (e *expression) run(env any) (any, error) {
	if e == nil {
		return nil, nil
	}
	v, err := expr.Run(e.program, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", e.where, troubleOf(err))
	}
	return v, nil
}

// troubleOf says what kind of error it is, and where in the expression. The
// error's own words may repeat a customer's value, such as a password.
func troubleOf(err error) string {
	message, at := err.Error(), ""
	if fault := (*file.Error)(nil); errors.As(err, &fault) {
		message = fault.Message
		if at = fmt.Sprintf(", at character %d", fault.Column+1); fault.Line > 1 {
			at = fmt.Sprintf(", in line %d of it", fault.Line) + at
		}
	}
	for _, known := range [][2]string{
		{"index out of range", "an index is out of range"},
		{"invalid operation: int", "a value is not a number, or has no such part"},
		{"invalid operation: float(", "a value is not a number"},
		{"invalid operation", "a value is of the wrong type"},
		{"interface conversion", "a value is of the wrong type"},
		{"reflect: ", "a value is of the wrong type"},
		{"cannot ", "a value has no such part"},
		{"runtime error: integer divide by zero", "a division by zero"},
		{"integer divide by zero", "a division by zero"},
		{"invalid date", "a value is not a date"},
		{"memory budget exceeded", "it takes too much memory"},
	} {
		if strings.HasPrefix(message, known[0]) {
			return "cannot be calculated" + at + ": " + known[1]
		}
	}
	return "cannot be calculated" + at
}

// text is the value as text.
func (e *expression) text(env any) (string, error) {
	if e == nil {
		return "", nil
	}
	v, err := e.run(env)
	if err != nil {
		return "", err
	}
	s, err := written(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.where, err)
	}
	return s, nil
}

// holds is the value of a condition; a nil one holds by default.
func (e *expression) holds(env any, byDefault bool) (bool, error) {
	if e == nil {
		return byDefault, nil
	}
	v, err := e.run(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s: is neither true nor false", e.where)
	}
	return b, nil
}

func (e *expression) source() string { return e.program.Source().String() }
