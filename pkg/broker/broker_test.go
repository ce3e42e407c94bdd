package broker_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/headrace/headrace/pkg/broker"
)

func TestStart_EmptyDirectory_ServesStreams(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	b := start(t, broker.Options{Dir: dir})
	nc := connect(t, "", nats.InProcessServer(b), nats.UserInfo(b.User(), b.Password()))
	if got := nc.ConnectedServerId(); got != b.ServerID() {
		t.Errorf("connected to server %q, want %q", got, b.ServerID())
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), streamConfig()); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "t.a", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Healthy(); err != nil {
		t.Error(err)
	}
	want := map[string]fs.FileMode{
		".": 0o700, "broker.json": 0o600, "broker.lock": 0o600, "jetstream": 0o700,
	}
	if diff := cmp.Diff(want, modes(t, dir, want)); diff != "" {
		t.Error(diff)
	}
}

func modes(t *testing.T, dir string, of map[string]fs.FileMode) map[string]fs.FileMode {
	t.Helper()
	got := map[string]fs.FileMode{}
	for name := range of {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Mode().Perm() &^ 0o050 // a group's right to list is the server's choice
	}
	return got
}

func TestStart_ModeOfDirectory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		other string
		want  fs.FileMode
	}{
		"empty is made private":           {"", 0o700},
		"with other things in it is left": {"theirs.txt", 0o755},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.other != "" {
				if err := os.WriteFile(filepath.Join(dir, c.other), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			start(t, broker.Options{Dir: dir})
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != c.want {
				t.Errorf("mode %o, want %o", got, c.want)
			}
		})
	}
}

func TestStart_DirectoryInUse_NamesOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir})
	_, err := broker.Start(t.Context(), broker.Options{Dir: dir})
	var inUse *broker.InUseError
	if !errors.As(err, &inUse) || !errors.Is(err, broker.ErrInUse) {
		t.Fatalf("second Start: %v, want an InUseError", err)
	}
	if inUse.PID != os.Getpid() || inUse.Dir != dir || time.Since(inUse.Since) > deadline {
		t.Errorf("got %+v", inUse)
	}
	wantText(t, err, dir, fmt.Sprint(os.Getpid()), "HEADRACE_DATA_DIR")
	if err := b.Healthy(); err != nil {
		t.Errorf("the owner suffered: %v", err)
	}
	if _, err := broker.ReadAccess(dir); err != nil {
		t.Errorf("the owner's address is gone: %v", err)
	}
}

func TestStart_DirectoryInUseByOtherProcess_IsRefusedEitherWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir})
	_, lines := spawn(t, dir, "try")
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "refused:") ||
		!strings.Contains(lines.Text(), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("second process says %q, want a refusal that names this one", lines.Text())
	}
	shutdown(t, b)
	_, lines = spawn(t, dir, "serve")
	acked(t, lines, 1)
	if _, err := broker.Start(t.Context(), broker.Options{Dir: dir}); !errors.Is(err, broker.ErrInUse) {
		t.Errorf("Start beside another process: %v", err)
	}
}

func TestStart_AfterKill_HasEverythingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var seq uint64
	for round := range 3 {
		cmd, lines := spawn(t, dir, "serve")
		seq = acked(t, lines, seq+200)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it acknowledged before it died
			_, _ = fmt.Sscanf(lines.Text(), "acked %d", &seq)
		}
		_ = cmd.Wait()
		if _, err := broker.ReadAccess(dir); !errors.Is(err, broker.ErrNotRunning) {
			t.Errorf("round %d: ReadAccess after kill: %v", round, err)
		}
	}
	b := start(t, broker.Options{Dir: dir})
	nc := connect(t, b.URL(), nats.UserInfo(b.User(), b.Password()))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "T")
	if err != nil {
		t.Fatal(err)
	}
	state := s.CachedInfo().State
	if state.LastSeq < seq || state.Msgs != state.LastSeq || state.NumDeleted != 0 {
		t.Errorf("acknowledged %d, the stream has %d messages up to %d", seq, state.Msgs, state.LastSeq)
	}
}

func TestStart_WithoutCredential_IsRefused(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Dir: t.TempDir()})
	for name, opts := range map[string][]nats.Option{
		"none":     nil,
		"wrong":    {nats.UserInfo(b.User(), "wrong")},
		"services": {nats.UserInfo("services", b.Password())},
		"system":   {nats.UserInfo("sys", "")},
	} {
		nc, err := nats.Connect(b.URL(), opts...)
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v, want an authorization violation", name, err)
		}
		if nc != nil {
			nc.Close()
		}
	}
}

func TestStart_BadDirectory_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noStore := t.TempDir()
	if err := os.WriteFile(filepath.Join(noStore, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stuck := t.TempDir()
	if err := os.MkdirAll(filepath.Join(stuck, "broker.json", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	badGuest := t.TempDir()
	if err := os.WriteFile(filepath.Join(badGuest, "listen.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    broker.Options
		want string
	}{
		"not set":          {broker.Options{}, "data directory is not set"},
		"a file":           {broker.Options{Dir: file}, "data directory"},
		"below a file":     {broker.Options{Dir: filepath.Join(file, "x")}, "make data directory"},
		"store is a file":  {broker.Options{Dir: noStore}, "JetStream"},
		"address is stuck": {broker.Options{Dir: stuck}, "broker.json"},
		"bad guest":        {broker.Options{Dir: badGuest, Listen: "127.0.0.1:0"}, "listen.json (remove it"},
		"no port":          {broker.Options{Dir: noStore, Listen: "127.0.0.1"}, "want host:port"},
		"bad port":         {broker.Options{Dir: noStore, Listen: "127.0.0.1:http"}, "port"},
		"no such address":  {broker.Options{Dir: t.TempDir(), Listen: "192.0.2.1:0"}, "192.0.2.1"},
		"negative":         {broker.Options{Dir: noStore, SyncInterval: -1}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := broker.Start(t.Context(), c.o)
			wantText(t, err, "start broker: ", c.want)
			if _, err := broker.ReadAccess(c.o.Dir); err == nil {
				t.Error("ReadAccess finds a broker")
			}
		})
	}
}

func TestStart_ContextEnded_GivesDirectoryBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := broker.Start(ctx, broker.Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v, want context.Canceled", err)
	}
	start(t, broker.Options{Dir: dir})
}

func TestShutdown_Twice_LeavesNothingServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// Whether the stop is quicker than the look at ctx is open; both are fine.
	if err := b.Shutdown(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with an ended context: %v", err)
	}
	shutdown(t, b)
	if err := b.Healthy(); err == nil {
		t.Error("a stopped broker is healthy")
	}
	if _, err := os.Stat(filepath.Join(dir, "broker.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("broker.json after Shutdown: %v", err)
	}
	if _, err := broker.ReadAccess(dir); !errors.Is(err, broker.ErrNotRunning) {
		t.Errorf("ReadAccess after Shutdown: %v", err)
	}
	again := start(t, broker.Options{Dir: dir})
	if again.Password() == b.Password() || again.ServerID() == b.ServerID() {
		t.Error("credential or server id is the same after a restart")
	}
}
