package broker

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// A lock of Windows forbids others to read the bytes it covers. It is taken far
// behind the content, which they are to read.
const lockOffset = 1 << 30

// lockExclusive doesn't wait: errLocked is another's lock.
func lockExclusive(f *os.File) error {
	return lockFileEx(f, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY)
}

// lockShared doesn't wait: errLocked is a running broker. Closing the file
// gives the lock back.
func lockShared(f *os.File) error { return lockFileEx(f, windows.LOCKFILE_FAIL_IMMEDIATELY) }

func lockFileEx(f *os.File, flags uint32) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}
