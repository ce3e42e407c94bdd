//go:build !failpoints

package failpoint

import "time"

// Here does nothing in this build.
func Here(Point, string) {}

// Armed is false in this build.
func Armed(Point) bool { return false }

// Off is false in this build: all protections are on.
func Off(Mutant) bool { return false }

// AckWait is d in this build.
func AckWait(d time.Duration) time.Duration { return d }
