package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/headrace/headrace/pkg/connectsim"
)

// template is a body with the digits of its request cut out.
type template [][]byte

func newTemplate(body []byte, digits string) template { return bytes.Split(body, []byte(digits)) }

func (t template) of(n int) []byte { return bytes.Join(t, []byte(digits(n))) }

// bodies are what the Connect simulator says of a purchase.
type bodies struct {
	pending, saved, approved template
	templates                []byte
}

// record makes one purchase in the simulator and notes what it answers.
func record() (bodies, error) {
	sim := connectsim.New(connectsim.Options{APIKey: apiKey, Empty: true})
	sim.Load(connectsim.LoadOptions{Purchases: 1})
	made := sim.Requests()[0]
	d := strings.TrimPrefix(made.AssetID, "AS-")
	one := apiBase + "/requests/" + made.ID
	var failed error
	call := func(method, path, body string) []byte {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "ApiKey "+apiKey)
		r.Header.Set("Content-Type", "application/json")
		sim.Handler().ServeHTTP(w, r)
		if w.Code >= http.StatusBadRequest {
			failed = fmt.Errorf("record %s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	var b bodies
	b.pending = newTemplate(call(http.MethodGet, one, ""), d)
	b.templates = call(http.MethodGet, apiBase+"/products/"+productOf(b.pending)+"/templates?eq(scope,asset)&eq(type,fulfillment)", "")
	var found []struct{ ID string }
	if err := json.Unmarshal(b.templates, &found); err != nil || len(found) == 0 {
		return b, fmt.Errorf("record templates: %w, %s", err, b.templates)
	}
	b.saved = newTemplate(call(http.MethodPut, one, `{"asset":{"params":[{"id":"subscription_id","value":"T-`+d+`"}]}}`), d)
	b.approved = newTemplate(call(http.MethodPost, one+"/approve", `{"template_id":"`+found[0].ID+`"}`), d)
	return b, failed
}

func productOf(t template) string {
	var r struct {
		Asset struct{ Product struct{ ID string } }
	}
	_ = json.Unmarshal(t.of(0), &r) // "" is refused by the simulator
	return r.Asset.Product.ID
}
