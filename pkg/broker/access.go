package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const accessFile = "broker.json"

// ErrNotRunning says that no broker serves the directory, or none that has
// finished starting.
var ErrNotRunning = errors.New("no broker is running")

// Access is how a broker is reached, and the content of broker.json.
type Access struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
	// ServerID is the running server's. Compare it with the one connected to:
	// should the broker stop after its file was read, its port may be another's.
	ServerID string `json:"server_id"`
	PID      int    `json:"pid"`
}

// String leaves the password out.
func (a Access) String() string {
	return fmt.Sprintf("%s as %s (server %s, process %d)", a.URL, a.User, a.ServerID, a.PID)
}

// GoString leaves the password out as well.
func (a Access) GoString() string { return a.String() }

// ReadAccess finds the broker that serves dir, for commands beside it. It is
// [ErrNotRunning] when nobody does, whatever an earlier one left behind;
// fs.ErrPermission when the directory is another user's. It opens no stream.
func ReadAccess(dir string) (Access, error) {
	if err := probe(dir); err != nil {
		return Access{}, err
	}
	path := filepath.Join(dir, accessFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Access{}, fmt.Errorf("%w in %s that is ready: it is starting or stopping, try again", ErrNotRunning, dir)
	case errors.Is(err, fs.ErrPermission):
		return Access{}, fmt.Errorf("read broker's address (be the user who runs it): %w", err)
	case err != nil:
		return Access{}, fmt.Errorf("read broker's address: %w", err)
	}
	var a Access
	if err := json.Unmarshal(text, &a); err != nil {
		return Access{}, fmt.Errorf("parse %s (start the broker again to have it written anew): %w", path, err)
	}
	if a.URL == "" || a.User == "" || a.Password == "" || a.ServerID == "" {
		return Access{}, fmt.Errorf("parse %s (start the broker again to have it written anew): url, user, password or server_id is missing", path)
	}
	return a, nil
}

// probe is nil when a broker has the directory locked. It holds the lock itself
// for microseconds; a starting server is patient enough.
func probe(dir string) error {
	f, err := os.Open(filepath.Join(dir, lockFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w in %s: start one with `headrace up`, or name its directory in HEADRACE_DATA_DIR", ErrNotRunning, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("look for a broker in %s (be the user who runs it): %w", dir, err)
	case err != nil:
		return fmt.Errorf("look for a broker in %s: %w", dir, err)
	}
	defer func() { _ = f.Close() }()
	err = lockShared(f)
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a broker in %s: %w", dir, err)
	}
	return fmt.Errorf("%w in %s: start one with `headrace up`, or name its directory in HEADRACE_DATA_DIR", ErrNotRunning, dir)
}

// writePrivate puts v into dir/name, readable by the owner alone, at once: a
// reader sees the old file or the new one.
func writePrivate(dir, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	f, err := os.CreateTemp(dir, "."+name+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}
