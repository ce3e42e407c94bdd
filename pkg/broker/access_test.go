package broker_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/headrace/headrace/pkg/broker"
)

func TestReadAccess_Running_Connects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir})
	a, err := broker.ReadAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a != b.Access() || a.PID != os.Getpid() {
		t.Errorf("read %v, want %v", a, b.Access())
	}
	if strings.Contains(a.String()+a.GoString(), a.Password) {
		t.Error("the password is printed")
	}
	nc := connect(t, a.URL, nats.UserInfo(a.User, a.Password))
	if nc.ConnectedServerId() != a.ServerID {
		t.Error("connected to another server")
	}
}

func TestReadAccess_NobodyServes_IsNotRunning(t *testing.T) {
	t.Parallel()
	stale := t.TempDir()
	for _, name := range []string{"broker.json", "broker.lock"} {
		if err := os.WriteFile(filepath.Join(stale, name), []byte(`{"url":"nats://127.0.0.1:1"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range map[string]string{
		"no directory": filepath.Join(t.TempDir(), "none"), "empty": t.TempDir(), "left by a killed one": stale,
	} {
		_, err := broker.ReadAccess(dir)
		if !errors.Is(err, broker.ErrNotRunning) {
			t.Errorf("%s: %v, want ErrNotRunning", name, err)
		}
		wantText(t, err, dir, "headrace up")
	}
}

func TestReadAccess_BrokenFile_SaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, broker.Options{Dir: dir})
	path := filepath.Join(dir, "broker.json")
	for name, text := range map[string]string{"cut off": `{"url":`, "empty object": `{}`, "empty": ``} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := broker.ReadAccess(dir)
		if errors.Is(err, broker.ErrNotRunning) {
			t.Errorf("%s: told not to run", name)
		}
		wantText(t, err, path)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := broker.ReadAccess(dir)
	if !errors.Is(err, broker.ErrNotRunning) {
		t.Errorf("without broker.json: %v", err)
	}
	wantText(t, err, "try again")
}

// A command's look at the lock must not keep a server from starting, nor one
// command another.
func TestReadAccess_WhileStarting_DisturbsNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = broker.ReadAccess(dir)
			}
		}
	}()
	for range 5 {
		b, err := broker.Start(t.Context(), broker.Options{Dir: dir})
		if err != nil {
			t.Errorf("Start while commands look: %v", err)
			break
		}
		shutdown(t, b)
	}
	close(stop)
	<-done
}

func TestListen_ServicesUser_KeepsCredentialOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "listen.json")
	o := broker.Options{Dir: dir, Listen: "127.0.0.1:0"}
	b := start(t, o)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := guestOf(t, before)
	if g.URL != b.URL() || g.User != "services" {
		t.Errorf("listen.json has %s as %s, want %s as services", g.URL, g.User, b.URL())
	}
	connect(t, g.URL, nats.UserInfo(g.User, g.Password)).Close()
	connect(t, b.URL(), nats.UserInfo(b.User(), b.Password())).Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("listen.json: %v, %v, want mode 0600", info.Mode(), err)
	}
	if nc, err := nats.Connect(g.URL); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without credential: %v", err)
		nc.Close()
	}
	shutdown(t, b)

	b = start(t, o)
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if guestOf(t, after).Password != g.Password {
		t.Error("the services' password changed with a restart")
	}
	connect(t, b.URL(), nats.UserInfo(g.User, g.Password)).Close()
	shutdown(t, b)

	b = start(t, broker.Options{Dir: dir})
	if nc, err := nats.Connect(b.URL(), nats.UserInfo(g.User, g.Password)); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("services user with the listener closed: %v", err)
		nc.Close()
	}
}

func TestListen_EveryInterface_WarnsAndIsReachedLocally(t *testing.T) {
	t.Parallel()
	log, hook := hooked()
	b := start(t, broker.Options{Dir: t.TempDir(), Listen: ":0", Logger: log})
	if !strings.HasPrefix(b.URL(), "nats://127.0.0.1:") {
		t.Errorf("URL %s, want one of loopback", b.URL())
	}
	connect(t, b.URL(), nats.UserInfo(b.User(), b.Password()))
	if got := hook.warnings(); len(got) != 1 || !strings.Contains(got[0], "without TLS") {
		t.Errorf("warnings %q, want one about TLS", got)
	}
}

func TestListen_AddressInUse_IsToldAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	address := strings.TrimPrefix(b.URL(), "nats://")
	dir := t.TempDir()
	_, err := broker.Start(t.Context(), broker.Options{Dir: dir, Listen: address})
	wantText(t, err, address, "in use")
	start(t, broker.Options{Dir: dir})
}

func TestStart_Loopback_WarnsOfNothing(t *testing.T) {
	t.Parallel()
	log, hook := hooked()
	b := start(t, broker.Options{Dir: t.TempDir(), Logger: log})
	if got := hook.warnings(); len(got) != 0 {
		t.Errorf("warnings %q", got)
	}
	shutdown(t, b)
	if hook.has(b.Password()) {
		t.Error("the password is logged")
	}
}

func TestReadAccess_OtherUsersDirectory_IsPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read every directory, so none is refused: run the tests as another user")
	}
	dir := filepath.Join(t.TempDir(), "theirs")
	if err := os.Mkdir(dir, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.ReadAccess(dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("ReadAccess: %v, want fs.ErrPermission", err)
	}
}
