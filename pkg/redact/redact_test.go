package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/redact"
)

const body = `{"id":"PR-1","type":"purchase","asset":{"id":"AS-1","params":[
	{"id":"admin_password","type":"password","value":"hun\"ter<2","structured_value":{"deep":["also-hidden"]},"value_error":"hun\"ter<2 is weak"},
	{"id":"empty","type":"password","value":""},
	{"id":"pin","type":"Password","value":4711},
	{"id":"tiny","type":"password","value":"ab"},
	{"id":"login","type":"text","value":"ann"}],
	"echo":"you sent also-hidden and hun\"ter<2, and ab.","cab":"a cab"},
	"configuration":{"params":[{"id":"admin_password","value":"second-one"}]},
	"auth":{"api_key":"k-123456","note":"Authorization: Bearer abcdefghijklmnopqrst"},"big":12345678901234567890}`

func masked(t *testing.T, s *redact.Secrets, data string) string {
	t.Helper()
	v, ok := s.Body([]byte(data))
	if !ok {
		t.Fatal("not read as JSON")
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBody_Passwords_AreTakenOutWhereverTheyStand(t *testing.T) {
	t.Parallel()
	got := masked(t, new(redact.Secrets), body)
	for _, secret := range []string{"ter", "also-hidden", "4711", `"ab"`, " ab.", "second-one", "k-123456", "abcdefghij"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in %s", secret, got)
		}
	}
	for _, kept := range []string{`"ann"`, `"value":""`, "12345678901234567890", "a cab", "PR-1", redact.Mark + " is weak"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is not in %s", kept, got)
		}
	}
}

func TestText_ValuesOfABody_InAnyForm(t *testing.T) {
	t.Parallel()
	s := new(redact.Secrets)
	s.JSON([]byte(body))
	in64 := base64.StdEncoding.EncodeToString([]byte("also-hidden"))
	got := s.Text(`refused hun"ter<2, hun\"ter\u003c2, hun%22ter%3C2, ` + in64 + `, second-one; a cab, ab, SU-123-456-789:deadbeef`)
	if got != "refused •••, •••, •••, •••=, •••; a cab, •••, •••" {
		t.Errorf("got %s", got)
	}
}

func TestBytes_NotQuiteJSON_ShowsNoParameterAndNoCredential(t *testing.T) {
	t.Parallel()
	got := string(new(redact.Secrets).Bytes([]byte(`{"id":"PR-1","params":[{"type":"password","value":"hunter\"2"},{"value":"cut o` + "\xff")))
	if strings.Contains(got, "hunter") || strings.Contains(got, "cut") || !strings.Contains(got, "PR-1") {
		t.Errorf("got %q", got)
	}
	if got := string(new(redact.Secrets).Bytes([]byte("token=abc value: 5"))); got != "token="+redact.Mark+" value: 5" {
		t.Errorf("got %q", got)
	}
}

func TestHeader_JSONAndCredentials(t *testing.T) {
	t.Parallel()
	s := new(redact.Secrets)
	s.JSON([]byte(body))
	for _, tt := range []struct{ name, value, want string }{
		{"ce-done", `[{"id":"admin_password","value":"new<one"},{"id":"subscription_id","value":"T-1"}]`, `[{"id":"admin_password","value":"•••"},{"id":"subscription_id","value":"T-1"}]`},
		{"Authorization", "anything", redact.Mark},
		{"X-Api-Key", "", ""},
		{"ce-note", "second-one", redact.Mark},
		{"ce-episode", "7", "7"},
	} {
		if got := s.Header(tt.name, tt.value); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
