package connect

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func seeds(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		f.Add(readTestdata(f, name))
	}
	for _, s := range []string{`null`, `[]`, `{}`, `""`, `{"id":1,"asset":""}`, `{"ID":"a","id":7,"asset":{"items":[{"quantity":"1e9"}]}}`} {
		f.Add([]byte(s))
	}
}

// sameRows compares a page of which data is a row with what encoding/json makes of
// that row.
func sameRows[T readRow](t *testing.T, data []byte) {
	t.Helper()
	rows, err := decodeRows[T](slices.Concat([]byte(`[`), data, []byte(`]`)))
	if err != nil || len(rows) != 1 {
		return
	}
	if got, want := rows[0], decodeRow[T](bytes.TrimSpace(data)); cmp.Diff(want, got, cmp.Comparer(sameText)) != "" {
		t.Fatalf("%s became %+v, want %+v", data, got, want)
	}
}

// What decodes has its required fields, and survives being written and read.
func FuzzDecodeRequest(f *testing.F) {
	seeds(f, "purchase.json", "change_old.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		sameRows[requestRow](t, data)
		r, err := DecodeRequest(data)
		if err != nil {
			return
		}
		type plain Request
		var want plain
		if json.Unmarshal(data, &want) == nil { // nothing had to be fitted
			want.Asset.Tiers.settle()
			if diff := cmp.Diff(Request(want), *r); diff != "" {
				t.Fatalf("%s: %s", data, diff)
			}
		}
		if r.ID == "" || r.Type == "" || r.Status == "" || r.Asset.ID == "" || r.Asset.Product.ID == "" || !json.Valid(data) {
			t.Fatalf("incomplete: %s", data)
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		back, err := DecodeRequest(out)
		if err != nil || back.ID != r.ID || back.Asset.ID != r.Asset.ID || len(back.Asset.Items) != len(r.Asset.Items) {
			t.Fatalf("%s became %s: %v", data, out, err)
		}
	})
}

func FuzzDecodeTierRequest(f *testing.F) {
	seeds(f, "tier_setup.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		sameRows[tierRow](t, data)
		r, err := DecodeTierRequest(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if back, err := DecodeTierRequest(out); err != nil || back.Configuration.ID != r.Configuration.ID {
			t.Fatalf("%s became %s: %v", data, out, err)
		}
	})
}

// A quantity is refused, or it is small and written as JSON reads it.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{`"10"`, `1.5`, `"unlimited"`, `-1`, `null`, `""`, `1e999999999`, `"1E-5"`, `"."`, `"+1"`, `"-"`, `".5"`, `"5."`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var q Quantity
		if json.Unmarshal(data, &q) != nil {
			return
		}
		out, err := json.Marshal(q)
		if err != nil || len(out) > 200 {
			t.Fatalf("%s became %d bytes: %v", data, len(out), err)
		}
		var back Quantity
		if err := json.Unmarshal(out, &back); err != nil || !back.Equal(q) {
			t.Fatalf("%s became %s: %v", data, out, err)
		}
	})
}

// An error is one printable line of bounded length, whatever the body.
func FuzzAPIError(f *testing.F) {
	for _, s := range []string{
		`{"error_code":"REQ_003","errors":["Only pending"]}`, `{"error_code":5,"errors":"x","params":null}`, `<html>502`, ``, `null`,
		`{"errors":[{"a":1},null]}`, "\xff\x00", `{"error_code":"VAL_001","errors":[],"params":{"a":[1]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := parseAPIError(data).Error()
		if strings.ContainsAny(text, "\n\r\x00") || !utf8.ValidString(text) || utf8.RuneCountInString(text) > 6000 {
			t.Fatalf("%q became %q", data, text)
		}
	})
}
