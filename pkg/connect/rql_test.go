package connect

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFilter_String_Quotes(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]Filter{
		`and(in(asset.product.id,(PRD-1,PRD-2)),in(status,(pending)))`: And(In("asset.product.id", "PRD-1", "PRD-2"), In("status", "pending")),
		`or(eq(asset.id,AS-1),not(eq(status,failed)))`:                 Or(Eq("asset.id", "AS-1"), Not(Eq("status", "failed"))),
		`eq(name,Default Activation Template)`:                         Eq("name", "Default Activation Template"),
		`ge(created,2024-01-01T00:00:00+00:00)`:                        Ge("created", "2024-01-01T00:00:00+00:00"),
		`eq(asset.params.value,"a,b(c)&d=e/f#g")`:                      Eq("asset.params.value", "a,b(c)&d=e/f#g"),
		`eq(name,"O'Neill")`:                                           Eq("name", "O'Neill"),
		`eq(name,'5" disk')`:                                           Eq("name", `5" disk`),
		`eq(name,"")`:                                                  Eq("name", ""),
		`eq(name,".hidden")`:                                           Eq("name", ".hidden"),
		`eq(name,"null()")`:                                            Eq("name", "null()"),
		`eq(name,"Überall")`:                                           Eq("name", "Überall"),
		`like(asset.external_id,*ab c*)`:                               Like("asset.external_id", "*ab c*"),
		`eq(status,pending)`:                                           And(Filter{}, Eq("status", "pending")),
		``:                                                             And(),
	} {
		if f.Err() != nil || f.String() != want {
			t.Errorf("got %s (%v), want %s", f, f.Err(), want)
		}
	}
}

func TestFilter_Err_NotExpressible(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Filter{
		"both quotes": Eq("name", `5" O'Neill`), "nested": And(Eq("a", "b"), Not(Eq("c", `"'`))), "empty list": In("id"),
		"in with both": In("id", "a", `"'`), "property": Eq("a,b", "c"), "no property": Eq("", "c"), "not all": Not(Filter{}),
	} {
		if !errors.Is(f.Err(), ErrRQL) {
			t.Errorf("%s: got %v, want ErrRQL", name, f.Err())
		}
	}
}

func TestLocation_With_SendsWhatTheServerParses(t *testing.T) {
	t.Parallel()
	to, err := location{path: "/requests"}.with(And(In("asset.product.id", "PRD-1", "PRD-2"), In("status", "pending")), "created,id", 100, 0)
	want := "and(in(asset.product.id,(PRD-1,PRD-2)),in(status,(pending)))&ordering(created,id)&limit=100&offset=0"
	if err != nil || to.query != want {
		t.Errorf("got %s (%v), want %s", to.query, err, want)
	}
	to, _ = location{}.with(Eq("name", "a+b, 100% & (c)"), "", 1, 0)
	if want := "eq(name,%22a%2Bb%2C%20100%25%20%26%20%28c%29%22)&limit=1&offset=0"; to.query != want {
		t.Errorf("got %s, want %s", to.query, want)
	}
}

// Whatever the value, the server finds it again: it decodes the query, and then
// reads up to the closing quote, or the closing parenthesis.
func TestFilter_AnyValue_ComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		f := Eq("name", value)
		if f.Err() != nil {
			return
		}
		query := encodeQuery(f.String())
		got, err := url.PathUnescape(query)
		if err != nil || len(got) < len("eq(name,)") {
			t.Fatalf("%s: %v", query, err)
		}
		got = got[len("eq(name,") : len(got)-1]
		if q := got[:1]; q == `"` || q == `'` {
			got = got[1 : len(got)-1]
		}
		if got != value {
			t.Fatalf("%q came back as %q", value, got)
		}
		if u, err := url.Parse("http://host/x?" + query); err != nil || u.RawQuery != query {
			t.Fatalf("%s does not survive as a URL: %v", query, err)
		}
	})
}

func TestTime_Decode_Forms(t *testing.T) {
	t.Parallel()
	want := time.Date(2021, 12, 23, 9, 9, 25, 0, time.UTC)
	for in, want := range map[string]time.Time{
		`"2021-12-23T09:09:25+00:00"`: want, `"2021-12-23T11:09:25+02:00"`: want, `"2021-12-23T09:09:25Z"`: want,
		`"2021-12-23T09:09:25.848598+00:00"`: want.Add(848598 * time.Microsecond), `"2021-12-23T09:09:25"`: want,
		`null`: {}, `""`: {}, `"soon"`: {}, `17`: {}, `{}`: {},
	} {
		var got Time
		if err := got.UnmarshalJSON([]byte(in)); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v (%v), want %v", in, got, err, want)
		}
	}
}
