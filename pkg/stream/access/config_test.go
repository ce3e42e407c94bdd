package access_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/headrace/headrace/pkg/broker"
)

func TestConfig_Teams_HaveTheReadersPermissions(t *testing.T) {
	t.Parallel()
	var o server.Options
	streamOptions(t, &o)
	teams := map[string][]string{"billing": {"billing-invoices", "billing-test"}, "support": {"support-desk"}}
	for _, u := range o.Users {
		consumers, team := teams[u.Username]
		if !team {
			continue
		}
		delete(teams, u.Username)
		want := broker.ReaderPermissions("_INBOX_"+u.Username, consumers...)
		got := broker.Permissions{Publish: u.Permissions.Publish.Allow, Subscribe: u.Permissions.Subscribe.Allow}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", u.Username, diff)
		}
		if u.Permissions.Response != nil || u.Account.Name != "READERS" {
			t.Errorf("%s: in account %s, with leave to answer: %v", u.Username, u.Account.Name, u.Permissions.Response)
		}
	}
	if len(teams) > 0 {
		t.Errorf("not in the configuration: %v", teams)
	}
}

func streamOptions(t *testing.T, o *server.Options) {
	t.Helper()
	text := regexp.MustCompile(`\$[A-Z_]+_PASSWORD`).ReplaceAllString(configText(t), `"x"`)
	if err := o.ProcessConfigString(text); err != nil {
		t.Fatal(err)
	}
}

// The file itself, with its variables in the environment, as nats-server reads
// it.
func TestConfig_Passwords_ComeFromTheEnvironmentAlone(t *testing.T) {
	if _, err := server.ProcessConfigFile(configPath()); err == nil || !strings.Contains(err.Error(), "PASSWORD") {
		t.Errorf("without passwords: %v, want the name of a variable", err)
	}
	for _, name := range passwords() {
		t.Setenv(name, "p-"+name)
	}
	o, err := server.ProcessConfigFile(configPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range o.Users {
		if want := "p-" + passwords()[u.Username]; u.Password != want {
			t.Errorf("%s has password %q, want %q", u.Username, u.Password, want)
		}
	}
	if len(o.Users) != len(passwords()) || !o.SyncAlways || o.MaxPayload != 8<<20 {
		t.Errorf("%d users, sync always %t, payload %d", len(o.Users), o.SyncAlways, o.MaxPayload)
	}
}
