//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// armed is what the environment says, read once. There is no other way to hand
// it to every place where a process may die, and this is no part of what ships.
var armed = sync.OnceValue(func() *charges {
	c, err := parse(os.Getenv("FAILPOINTS"))
	if err != nil {
		panic(err)
	}
	return c
})

// Here strikes if the point is armed and it is its turn. request is whom the
// process is at.
func Here(p Point, request string) {
	action := armed().due(p)
	if action == "" {
		return
	}
	signal := syscall.SIGKILL
	if action == Stop {
		signal = syscall.SIGSTOP
	}
	_, _ = fmt.Fprintln(os.Stderr, struck, p, action, request)
	if err := syscall.Kill(os.Getpid(), signal); err != nil {
		panic(err)
	}
	// The signal is the process's, not the thread's: it may take a moment.
	const moment = 5 * time.Millisecond
	time.Sleep(moment)
}

// Armed reports whether the process may die at the point: what is done at once as
// a rule is done in steps then.
func Armed(p Point) bool {
	c := armed()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.of[p]
	return ok
}

// Off reports whether the protection is switched off.
func Off(m Mutant) bool {
	return slices.Contains(strings.Split(os.Getenv("FAILPOINTS_OFF"), ","), string(m))
}

// AckWait is FAILPOINTS_ACK_WAIT, else d.
func AckWait(d time.Duration) time.Duration {
	if wait, err := time.ParseDuration(os.Getenv("FAILPOINTS_ACK_WAIT")); err == nil {
		return wait
	}
	return d
}

// charges are the armed points.
type charges struct {
	mu    sync.Mutex
	of    map[Point]charge
	times map[Point]int
}

// charge strikes at the n-th time, or where n is 0 with probability p.
type charge struct {
	action string
	n      int
	p      float64
}

// due counts a visit and returns what is to be done, "" for nothing.
func (c *charges) due(p Point) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	charge, ok := c.of[p]
	if !ok {
		return ""
	}
	c.times[p]++
	if charge.n == c.times[p] || charge.n == 0 && rand.Float64() < charge.p {
		return charge.action
	}
	return ""
}

func parse(text string) (*charges, error) {
	c := &charges{of: map[Point]charge{}, times: map[Point]int{}}
	var errs []error
	for one := range strings.SplitSeq(text, ",") {
		if one == "" {
			continue
		}
		point, what, _ := strings.Cut(one, "=")
		charge, err := parseCharge(what)
		if err == nil && !slices.Contains(Points(), Point(point)) {
			err = errors.New("no such point")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("arm failpoint %q: %w", one, err))
		}
		c.of[Point(point)] = charge
	}
	return c, errors.Join(errs...)
}

func parseCharge(text string) (charge, error) {
	action, number, nth := strings.Cut(text, "@")
	c := charge{action: action}
	var err error
	if nth {
		if c.n, err = strconv.Atoi(number); err == nil && c.n < 1 {
			err = errors.New("the count begins at 1")
		}
	} else {
		c.action, number, _ = strings.Cut(text, "%")
		c.p, err = strconv.ParseFloat(number, 64)
	}
	if err == nil && c.action != Kill && c.action != Stop {
		err = fmt.Errorf("the action is %s or %s", Kill, Stop)
	}
	return c, err
}
