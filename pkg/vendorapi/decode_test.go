package vendorapi

import (
	"testing"
	"unicode/utf8"
)

func TestMessageOf_TakesTheVendorsWords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"message":" a ","error":"b"}`:           "a",
		`{"message":"","error":"b","detail":"c"}`: "b",
		`{"message":null,"error":7,"detail":"c"}`: "c",
		`{"error":{"code":1,"message":"inside"}}`: "inside",
		`{"other":1}`:    `{"other":1}`,
		`["x"]`:          `["x"]`,
		" <h1>no</h1>\n": "<h1>no</h1>",
		"\xff\xfe":       "\uFFFD",
		``:               "",
	} {
		if got := messageOf([]byte(body)); got != want {
			t.Errorf("messageOf(%q) = %q, want %q", body, got, want)
		}
	}
}

func TestTenant_State_ByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]State{
		"": Ready, "ready": Ready, "active": Ready, "processing": Pending, "pending": Pending, "provisioning": Pending,
		"failed": Failed, "error": Failed, "suspended": Strange, "READY": Strange, "false": Strange,
	} {
		if got := (Tenant{Status: status}).State(); got != want {
			t.Errorf("%q: %v, want %v", status, got, want)
		}
	}
}

func TestKindAndOutcome_HaveNames(t *testing.T) {
	t.Parallel()
	if Network.String() != "network" || Unexpected.String() != "unexpected" || Kind(99).String() != "kind 99" {
		t.Error(Network, Unexpected, Kind(99))
	}
	if NotDone.String() != "not done" || Unknown.String() != "unknown" {
		t.Error(NotDone, Unknown)
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"tenantId":"T-1","status":"ready"}`, `{"tenantId":12345678901234567890}`, `{"tenantId":[],"status":{}}`, `{"tenantId":null}`,
		`{"message":"m"}`, `{"error":{"message":"m"}}`, `null`, `[]`, ``, "\xff", `{"detail":"\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tenant, err := decodeTenant(body)
		if err != nil && tenant != (Tenant{}) {
			t.Errorf("tenant %+v with error %v", tenant, err)
		}
		if message := messageOf(body); !utf8.ValidString(message) || len(message) > 3*len(body)+4 {
			t.Errorf("message %q", message)
		}
		if utf8.RuneCountInString(excerpt(body)) > 500 {
			t.Error("excerpt too long")
		}
	})
}
