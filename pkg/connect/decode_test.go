package connect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeTestdata(t *testing.T, name string) *Request {
	t.Helper()
	r, err := DecodeRequest(readTestdata(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func TestDecodeRequest_Modern(t *testing.T) {
	t.Parallel()
	r := decodeTestdata(t, "purchase.json")
	var quantities []string
	for _, i := range r.Asset.Items {
		quantities = append(quantities, i.Quantity.String()+" was "+i.OldQuantity.String())
	}
	if diff := cmp.Diff([]string{"12 was 0", "1.5 was 0", "unlimited was unlimited"}, quantities); diff != "" {
		t.Error(diff)
	}
	if r.Created.Nanosecond() != 0 || r.Updated.Nanosecond() != 331070000 || !r.EffectiveDate.IsZero() || !r.PlannedDate.IsZero() {
		t.Errorf("times: %v %v %v %v", r.Created, r.Updated, r.EffectiveDate, r.PlannedDate)
	}
	c := r.Asset.Tiers.Customer
	if c == nil || c.ContactInfo.Contact.Phone.AreaCode != "431" || c.Parent.ID != "TA-4000-5000-6000" {
		t.Errorf("customer: %+v", c)
	}
	if r.Asset.Tiers.Tier1 == nil || r.Asset.Tiers.Tier2 != nil {
		t.Error("tier1 is there, tier2 is {} and so nil")
	}
	if r.Asset.Product.Name != "Lager für Töne" || r.Template.ID != "TL-201-330-412" || r.Asset.Configuration.Params[0].Value != "eu" {
		t.Errorf("names: %+v", r)
	}
	if p := r.Param("admin_email"); p == nil || p.Value != "ada@example.com" || !p.Constraints.Required {
		t.Errorf("admin_email: %+v", p)
	}
	if r.Param("none") != nil {
		t.Error("a parameter that is not there is nil")
	}
	empty := r.EmptyRequired(PhaseFulfillment)
	if len(empty) != 1 || empty[0].ID != "subscription_id" {
		t.Errorf("empty required: %+v", empty)
	}
}

func TestDecodeRequest_OldForms(t *testing.T) {
	t.Parallel()
	r := decodeTestdata(t, "change_old.json")
	got := []string{r.ID, r.Asset.ExternalID, r.Asset.ExternalUID, r.Asset.Items[2].ID, r.Asset.Tiers.Customer.ExternalID, r.Assignee.Email}
	want := []string{"1650001234", "1000077", "340282366920938463463374607431768211456", "7", "9", "max@example.com"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = []string{r.Param("seats").Value, r.Param("on").Value, r.Param("shape").Value, r.Asset.Items[0].Quantity.String(), r.Asset.Items[2].Quantity.String()}
	if diff := cmp.Diff([]string{"5", "true", `{"x":[1]}`, "10", "unlimited"}, got); diff != "" {
		t.Error(diff)
	}
	if r.Answered || r.Asset.Tiers.Tier1 != nil || r.PreviousApproved != (Ref{}) {
		t.Errorf("nothing there: %+v", r)
	}
}

// A body that has to be fitted hands on structured values as they were sent.
func TestDecodeRequest_Fitted_KeepsRawValues(t *testing.T) {
	t.Parallel()
	r, err := DecodeRequest([]byte(`{"id":1,"type":"t","status":"s","asset":{"id":"AS-1","product":{"id":"P"},"params":[{"id":"o","structured_value":{"a":"<b> & 12345678901234567890","n":12345678901234567890}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":"<b> & 12345678901234567890","n":12345678901234567890}`
	if got := string(r.Param("o").StructuredValue); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeRequest_Tolerates(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{
		"nulls": `"note":null,"created":null,"answered":null,"assignee":null,"template":null,"marketplace":null`,
		"empty": `"note":"","created":"","answered":"","assignee":"","template":"","marketplace":"","contract":{},"updated":""`,
		"bare":  `"assignee":"UR-1","template":"TL-1","contract":7,"previous_approved_request":"PR-0"`,
		"php":   `"assignee":[],"template":[],"params_form_url":[],"note":{}`,
		"odd":   `"answered":"True","effective_date":17,"note":5,"reason":true,"unknown":[{"x":null}]`,
	} {
		for _, asset := range []string{`"items":null,"params":null,"tiers":null`, `"items":"","params":"","tiers":"","configuration":""`, `"items":{},"tiers":[]`, `"items":[null],"params":[]`} {
			body := `{"id":"PR-1","type":"brand-new","status":"never seen","asset":{"id":"AS-1","product":{"id":"PRD-1"},` + asset + `},` + extra + `}`
			r, err := DecodeRequest([]byte(body))
			if err != nil {
				t.Errorf("%s, %s: %v", name, asset, err)
				continue
			}
			if r.Type != "brand-new" || r.Status != "never seen" || r.Asset.ID != "AS-1" || r.Asset.Product.ID != "PRD-1" {
				t.Errorf("%s, %s: lost the required fields: %+v", name, asset, r)
			}
		}
	}
}

func TestDecodeRequest_Refuses_NamingTheField(t *testing.T) {
	t.Parallel()
	full := `{"id":"PR-1","type":"t","status":"s","asset":{"id":"AS-1","product":{"id":"PRD-1"}}}`
	for _, c := range []struct{ body, want string }{
		{strings.Replace(full, `"id":"PR-1",`, ``, 1), "missing id"},
		{strings.Replace(full, `"t"`, `null`, 1), "missing type"},
		{strings.Replace(full, `"s"`, `""`, 1), "missing status"},
		{strings.Replace(full, `"AS-1"`, `{}`, 1), "missing asset.id"},
		{strings.Replace(full, `{"id":"PRD-1"}`, `""`, 1), "missing asset.product.id"},
		{`null`, "missing id"}, {`{}`, "missing asset.product.id"},
		{`[]`, "missing id"}, {`7`, "body: want an object, found a number"}, {``, "unexpected end"}, {`{"id":`, "unexpected end"},
		{strings.Replace(full, `"AS-1"`, `{"x":1}`, 1), "asset.id: want a string, found an object"},
		{strings.Replace(full, `"AS-1"`, `"AS-1","items":7`, 1), "asset.items: want an array, found a number"},
		{strings.Replace(full, `"AS-1"`, `"AS-1","items":[{"quantity":"many"}]`, 1), `not a quantity: "many"`},
	} {
		r, err := DecodeRequest([]byte(c.body))
		if err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.body, err, c.want)
		}
		if strings.HasPrefix(c.want, "missing") && !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: got %v, want ErrIncomplete", c.body, err)
		}
	}
}

func TestDecodeTierRequest_Setup(t *testing.T) {
	t.Parallel()
	r, err := DecodeTierRequest(readTestdata(t, "tier_setup.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Configuration.ID != "TC-220-330-440" || r.Configuration.TierLevel != 1 || r.Configuration.Account.Name != "Reseller" {
		t.Errorf("configuration: %+v", r.Configuration)
	}
	if r.Created.Day() != 5 || r.Updated.Second() != 1 || r.Tiers.Tier2 != nil || r.Tiers.Tier1 == nil {
		t.Errorf("request: %+v", r)
	}
	if len(r.EmptyRequired(PhaseFulfillment)) != 1 || r.Param("reseller_ref") == nil {
		t.Errorf("params: %+v", r.Params)
	}
	if _, err := DecodeTierRequest([]byte(`{"id":"TCR-1","type":"setup","status":"x","configuration":{"product":{"id":"P"}}}`)); err == nil || !strings.Contains(err.Error(), "missing configuration.id") {
		t.Errorf("got %v", err)
	}
	loose := `{"id":1,"type":"setup","status":"x","configuration":{"id":2,"tier_level":"2","account":{},"product":"PRD-1"}}`
	if r, err := DecodeTierRequest([]byte(loose)); err != nil || r.Configuration.TierLevel != 2 || r.Configuration.Account != nil || r.Configuration.Product.ID != "PRD-1" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRow_Decode_KeepsWhatIsReadable(t *testing.T) {
	t.Parallel()
	row := decodeRow[requestRow](json.RawMessage(`{"id":5,"type":"purchase","status":"pending","asset":"AS-1","created":"2026-01-01T00:00:00Z"}`))
	if row.ID != "5" || row.Type != "purchase" || row.Err == nil || row.Created.IsZero() {
		t.Errorf("got %+v", row)
	}
	for _, raw := range []string{`null`, `7`, `[]`, `"x"`, `{}`} {
		if row := decodeRow[requestRow](json.RawMessage(raw)); row.Err == nil || string(row.Raw) != raw {
			t.Errorf("%s: got %+v", raw, row)
		}
	}
	row = decodeRow[tierRow](readTestdata(t, "tier_setup.json"))
	if row.Err != nil || row.AssetID != "TC-220-330-440" || row.ProductID != "PRD-310-220-130" || row.Created.Day() != 5 {
		t.Errorf("got %+v", row)
	}
}

// What an answer shows at once is what it shows when it is decoded as a whole.
func TestSaved_OfAnyAnswer_IsThatOfTheRequest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"purchase.json", "change_old.json"} {
		answer := readTestdata(t, name)
		want, saved := decodeTestdata(t, name), decodeSaved(answer)
		if saved == nil {
			t.Fatalf("%s: nothing", name)
		}
		if diff := cmp.Diff(want.Asset.Params, saved.Params); diff != "" || saved.Status != want.Status || saved.Reason != want.Reason {
			t.Errorf("%s: %s %q %s", name, saved.Status, saved.Reason, diff)
		}
		got, err := saved.Request()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for _, answer := range []string{``, `null`, `[]`, `{}`, `{"id":"PR-1","type":"purchase","status":"pending"}`, `{"id":"PR-1","type":"t","asset":{"id":"AS-1","product":{"id":"P"}}}`} {
		if saved := decodeSaved([]byte(answer)); saved != nil {
			t.Errorf("%s: %+v", answer, saved)
		}
	}
}

// A page is read in one go where it can be, and row by row where it can't: the
// rows are the same.
func TestRows_OfPage_AreThoseDecodedOneByOne(t *testing.T) {
	t.Parallel()
	modern, old := readTestdata(t, "purchase.json"), readTestdata(t, "change_old.json")
	for _, rows := range [][][]byte{{modern, modern}, {modern, old}, {[]byte(`null`), modern}, {modern, []byte(`{"id":"PR-1","id":"PR-2"}`)}, {}} {
		page := slices.Concat([]byte("[\n "), bytes.Join(rows, []byte(" , ")), []byte(" ]\n"))
		got, err := decodeRows[requestRow](page)
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%d rows of %d, %v", len(got), len(rows), err)
		}
		for i, raw := range rows {
			want := decodeRow[requestRow](bytes.TrimSpace(raw))
			if diff := cmp.Diff(want, got[i], cmp.Comparer(sameText)); diff != "" {
				t.Error(diff)
			}
		}
	}
	for _, page := range []string{``, `{}`, `7`, `[`, `[{}`, `[{}] x`} {
		if rows, err := decodeRows[requestRow]([]byte(page)); err == nil {
			t.Errorf("%s: %d rows", page, len(rows))
		}
	}
	if rows, err := decodeRows[requestRow]([]byte(`null`)); err != nil || len(rows) != 0 {
		t.Errorf("no list: %v, %v", rows, err)
	}
}

func sameText(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
