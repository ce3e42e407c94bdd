//go:build !windows

package broker

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockExclusive doesn't wait: errLocked is another's lock.
func lockExclusive(f *os.File) error { return flock(f, unix.LOCK_EX|unix.LOCK_NB) }

// lockShared doesn't wait: errLocked is a running broker. Closing the file
// gives the lock back.
func lockShared(f *os.File) error { return flock(f, unix.LOCK_SH|unix.LOCK_NB) }

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		}
		return err
	}
}
