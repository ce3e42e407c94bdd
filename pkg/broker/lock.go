package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	lockFile = "broker.lock"
	// A command that asks whether a broker runs holds the lock, shared, for a
	// moment: so long a starting server tries again.
	lockPatience = 150 * time.Millisecond
	lockPause    = 10 * time.Millisecond
)

// ErrInUse is what every [InUseError] is.
var ErrInUse = errors.New("data directory is in use")

// errLocked is what the locking of the platform says when another has the lock.
var errLocked = errors.New("locked by another")

// InUseError says that another broker serves the directory, and which. What
// couldn't be found out is zero.
type InUseError struct {
	Dir   string
	PID   int
	Host  string
	Since time.Time
}

// Error names the owner and says what to do.
func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d on %s since %s", e.PID, e.Host, e.Since.Format(time.RFC3339))
	}
	return fmt.Sprintf("data directory %s is in use by %s: stop that process, or give this one another directory (HEADRACE_DATA_DIR)",
		e.Dir, who)
}

// Is makes errors.Is(err, ErrInUse) true.
func (e *InUseError) Is(target error) bool { return target == ErrInUse }

// owner is the content of the lock file.
type owner struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"`
}

// lockDir takes the directory for this process. Closing the file gives it back,
// and so does the end of the process.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of data directory: %w", err)
	}
	if err := waitLock(ctx, f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return nil, inUse(dir)
		}
		return nil, fmt.Errorf("lock data directory %s (it must be on a local file system): %w", dir, err)
	}
	if err := writeOwner(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

func waitLock(ctx context.Context, f *os.File) error {
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	again := time.NewTicker(lockPause)
	defer again.Stop()
	for {
		err := lockExclusive(f)
		if !errors.Is(err, errLocked) {
			return err
		}
		select {
		case <-again.C:
		case <-patience.C:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func writeOwner(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	text, err := json.Marshal(owner{PID: os.Getpid(), Host: host, Started: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}

// inUse reads who has the lock. The owner writes that after it has locked, so
// that it may not be there yet.
func inUse(dir string) *InUseError {
	e := &InUseError{Dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		return e
	}
	var o owner
	if json.Unmarshal(text, &o) == nil {
		e.PID, e.Host, e.Since = o.PID, o.Host, o.Started
	}
	return e
}
