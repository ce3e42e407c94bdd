package deadletter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/pipelinetest"
	"github.com/headrace/headrace/pkg/stream"
)

const secretive = `{"id":"PR-1","type":"purchase","asset":{"id":"AS-1","product":{"id":"PRD-1"},"params":[
	{"id":"admin_password","type":"password","value":"hunter2"},{"id":"login","type":"text","value":"ann"}]},"big":12345678901234567890}`

// secret stores a request with a password that is held with it in the reason.
func secret(t *testing.T, c *stream.Client) deadletter.Entry {
	t.Helper()
	d := pipelinetest.Open(t, c, key(), []byte(secretive))
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageHold, `the vendor says "hunter2" is weak`)); err != nil {
		t.Fatal(err)
	}
	e, err := deadletter.Get(t.Context(), c, "1")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMask_Password_IsNowhere(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := secret(t, c)
	view, err := deadletter.Mask(t.Context(), c, e)
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{"list": list(t, c, deadletter.Filter{}), "entry": e, "view": view} {
		if s := text(t, v); strings.Contains(s, "hunter2") || !strings.Contains(s, "is weak") {
			t.Errorf("%s: %s", what, s)
		}
	}
	if s := text(t, view); !strings.Contains(s, `"ann"`) || !strings.Contains(s, "12345678901234567890") {
		t.Errorf("masked too much: %s", s)
	}
}

func TestMask_Result_TheRequestTellsWhatIsAPassword(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	value := "made-up-by-the-vendor"
	e := heldResult(t, c, fulfillment.Param{ID: "admin_password", Value: &value})
	view, err := deadletter.Mask(t.Context(), c, e)
	if err != nil {
		t.Fatal(err)
	}
	if s := text(t, view); strings.Contains(s, value) {
		t.Errorf("view: %s", s)
	}
}

func TestReveal_IsRecordedFirst_EachTime(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	e := secret(t, c)
	if v, err := deadletter.Reveal(t.Context(), &killed{c, 1}, e, "ann"); !errors.Is(err, errKilled) || v.Body != nil || v.Reason != "" {
		t.Errorf("not recorded, yet revealed: %+v, %v", v, err)
	}
	for range 2 {
		v, err := deadletter.Reveal(t.Context(), c, e, "ann")
		if err != nil || !strings.Contains(text(t, v), `"hunter2"`) || !strings.Contains(v.Reason, "hunter2") {
			t.Errorf("%v: %s", err, text(t, v))
		}
	}
	if got := trail(t, c, deadletter.AuditFilter{Deed: fulfillment.DeedRevealed, By: "ann"}); len(got) != 2 || got[0].ID != "1" {
		t.Errorf("trail: %+v", got)
	}
	if s := stateOf(t, c); s != fulfillment.StateHeld || len(list(t, c, deadletter.Filter{})) != 1 {
		t.Errorf("a look changed the state to %s", s)
	}
}

func TestDraft_MaskedValuesStayAsTheyWere(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	view, err := deadletter.Mask(t.Context(), c, secret(t, c))
	if err != nil {
		t.Fatal(err)
	}
	d, err := deadletter.NewDraft(view)
	if err != nil {
		t.Fatal(err)
	}
	draft := string(d.Text)
	if strings.Contains(draft, "hunter2") || strings.Count(draft, "\n") < 10 {
		t.Errorf("draft:\n%s", draft)
	}
	got, err := d.Take([]byte(strings.Replace(draft, `"ann"`, `"bob"`, 1)))
	want := strings.NewReplacer("\n", "", "\t", "", `"ann"`, `"bob"`).Replace(secretive)
	var a, b any
	if err != nil || json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) || !strings.Contains(string(got), "12345678901234567890") {
		t.Errorf("%v: %s", err, got)
	}
	// The parameters in another order, and the password a new one.
	got, err = d.Take([]byte(`{"id":"PR-1","type":"purchase","asset":{"id":"AS-1","product":{"id":"PRD-1"},"params":[
		{"id":"new"},{"id":"admin_password","type":"password","value":"•••"}]}}`))
	if err != nil || !strings.Contains(string(got), `"hunter2"`) {
		t.Errorf("%v: %s", err, got)
	}
	for name, tt := range map[string]struct {
		edited string
		want   error
		says   string
	}{
		"unchanged":       {draft + "\n", deadletter.ErrUnchanged, ""},
		"only reformed":   {strings.ReplaceAll(draft, "  ", " "), deadletter.ErrUnchanged, ""},
		"mask moved":      {strings.Replace(draft, `"ann"`, `"•••"`, 1), deadletter.ErrMasked, "asset.params[1].value"},
		"mask within":     {strings.Replace(draft, `"•••"`, `"x•••"`, 1), deadletter.ErrMasked, "asset.params[0].value"},
		"another request": {strings.Replace(draft, `"PR-1"`, `"PR-2"`, 1), deadletter.ErrBody, ""},
		"broken":          {strings.Replace(draft, `"ann"`, `ann`, 1), nil, "not valid JSON, line"},
		"empty":           {"", nil, "not valid JSON"},
	} {
		if _, err := d.Take([]byte(tt.edited)); err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDraft_NotJSON_IsEditedOnlyAsItIs(t *testing.T) {
	t.Parallel()
	c := pipelinetest.Client(t)
	d := pipelinetest.Open(t, c, key(), []byte(`{"password": "hunter2", cut`))
	if err := deadletter.NewWriter(c, nil).Write(t.Context(), deadletter.OfDelivery(d, fulfillment.StageDecode, "why")); err != nil {
		t.Fatal(err)
	}
	e, err := deadletter.Get(t.Context(), c, "1")
	if err != nil {
		t.Fatal(err)
	}
	view, err := deadletter.Mask(t.Context(), c, e)
	if err != nil || strings.Contains(text(t, view), "hunter2") {
		t.Fatalf("%v: %s", err, text(t, view))
	}
	if _, err := deadletter.NewDraft(view); !errors.Is(err, deadletter.ErrMasked) {
		t.Errorf("draft of what is masked: %v", err)
	}
	if view, err = deadletter.Reveal(t.Context(), c, e, "ann"); err != nil {
		t.Fatal(err)
	}
	draft, err := deadletter.NewDraft(view)
	if err != nil || string(draft.Text) != string(e.Body) {
		t.Fatalf("%v: %s", err, draft.Text)
	}
	if body, err := draft.Take([]byte(secretive)); err != nil || string(body) != secretive {
		t.Errorf("%v: %s", err, body)
	}
}
