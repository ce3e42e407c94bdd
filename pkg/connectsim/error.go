package connectsim

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an error as Connect sends it. Its JSON form is the body.
type Error struct {
	Status int      `json:"-"`
	Code   string   `json:"error_code"`
	Errors []string `json:"errors"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, strings.Join(e.Errors, ", "))
}

// errNotFound's code is one that Connect is known to use; its text is not.
var errNotFound = &Error{http.StatusNotFound, "NFND_000", []string{"Object not found."}}

var errUnauthorized = &Error{http.StatusUnauthorized, "AUTH_001", []string{"API request is unauthorized."}}

func refuse(code, format string, args ...any) *Error {
	return &Error{http.StatusBadRequest, code, []string{fmt.Sprintf(format, args...)}}
}

// invalid names the field that a body has wrong.
func invalid(field, format string, args ...any) *Error {
	return refuse("VAL_001", field+": "+format, args...)
}

// transition refuses a move between states.
func transition(format string, args ...any) *Error { return refuse("REQ_003", format, args...) }

// asError makes anything answerable: what is not an Error is the simulator's
// own fault.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{http.StatusInternalServerError, "SYS_001", []string{err.Error()}}
}
