package rql_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/connectsim/rql"
)

const sample = `{
	"id": "PR-1-001", "status": "pending", "created": "2024-03-01T10:00:00.250000+00:00", "reason": "", "template": null,
	"answered": true, "level": 2, "note": "a,b(c) & d", "name": "Łódź 50% off",
	"asset": {"id": "AS-1", "external_id": "1000771", "product": {"id": "PRD-1"},
		"connection": {"type": "preview"},
		"params": [{"id": "a", "value": "x"}, {"id": "b", "value": "y"}]}
}`

func document(t *testing.T) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(sample))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestMatch_Queries(t *testing.T) {
	t.Parallel()
	doc := document(t)
	for query, want := range map[string]bool{
		"":                          true,
		"status=pending":            true,
		"status=eq=pending":         true,
		"status=in=(draft,pending)": true,
		"eq(status,failed)":         false,
		"ne(status,failed)":         true,
		"asset.product.id__in=PRD-0,PRD-1&status=pending":              true,
		"asset__product__id__in=PRD-0%2CPRD-1":                         true,
		"asset__product__id__in=PRD-0%2CPRD-2":                         false,
		"asset__product__id=PRD-1":                                     true,
		"and(in(asset.product.id,(PRD-1,PRD-2)),in(status,(pending)))": true,
		"and(eq(status,pending),eq(id,PR-2))":                          false,
		"or(eq(asset.id,AS-2),not(eq(status,failed)))":                 true,
		"(status=failed|asset.id=AS-1)":                                true,
		"(status=failed;asset.id=AS-2)":                                false,
		"status=pending,asset.id=AS-1":                                 true,
		"out(status,(failed,approved))":                                true,
		"out(status,(failed,pending))":                                 false,
		"in(status,())":                                                false,
		"eq(asset.params.value,y)":                                     true,
		"eq(asset.params.value,z)":                                     false,
		"ne(asset.params.value,y)":                                     false,
		"ge(created,2024-03-01T10:00:00+00:00)":                        true,
		"ge(created,2024-03-01T10:00:00.25+00:00)":                     true,
		"gt(created,2024-03-01T10:00:00.25Z)":                          false,
		"le(created,2024-03-01T12:00:00+02:00)":                        false,
		"lt(created,2024-03-01T12:00:01+02:00)":                        true,
		"gt(created,2024-02-29)":                                       true,
		"gt(level,10)":                                                 false,
		"level=2.0":                                                    true,
		"gt(asset.external_id,2)":                                      false, // a text, though of digits
		"answered=true":                                                true,
		"like(asset.external_id,*077*)":                                true,
		"like(asset.external_id,077*)":                                 false,
		`like(name,"Łódź*off")`:                                        true,
		"like(name,łódź*)":                                             false,
		"ilike(name,łódź*)":                                            true,
		`like(name,"Łódź ?0% off")`:                                    true,
		"note=%22a%2Cb(c)%20%26%20d%22":                                true,
		"eq(note,'a,b(c) & d')":                                        true,
		`eq(reason,"")`:                                                true,
		"eq(reason,empty())":                                           true,
		"eq(template,null())":                                          true,
		"ne(template,null())":                                          false,
		"eq(nothing,null())":                                           true,
		"ne(status,null())":                                            true,
		"eq(nothing,x)":                                                false,
		"ne(nothing,x)":                                                true,
		"eq(asset,x)":                                                  false,
		"select(-asset.items)&eq(status,pending)&ordering(-created)&limit=50&offset=0&search=a+b": true,
	} {
		q, err := rql.Parse(strings.ReplaceAll(query, "% off", "%25 off"))
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := q.Match(doc); got != want {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestParse_BadSyntax_ErrSyntax(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"status", "status=", "eq(status)", "eq(status,)", "eq(status,a,b)", "eq(status,a", "(status=a", "status=a)",
		"gte(created,2024)", "range(a,1,2)", "and()", "not()", "in(a,b)", "in(a,(b)", `eq(a,"b)`, "eq(a,foo())",
		"and(ordering(a))", "a=b&c=d|e=f", "eq(asset.params.value,a&b=c%20d)", "=a", "1=a", "eq(a,%zz)", "eq(a,#)", "&", "a=b&",
		strings.Repeat("(", 5000), strings.Repeat("and(", 5000), strings.Repeat("not(", 5000),
	} {
		if _, err := rql.Parse(query); !errors.Is(err, rql.ErrSyntax) {
			t.Errorf("%.40s: got %v, want ErrSyntax", query, err)
		}
	}
}

func TestParse_SteeringTerms_AreNoFilter(t *testing.T) {
	t.Parallel()
	q, err := rql.Parse("select(-asset.items,-activation_key,+asset.product.capabilities)&limit=abc&offset=7&search=a+b%20c")
	if err != nil {
		t.Fatal(err)
	}
	got := []any{q.Hide, q.Show, q.Limit, q.Offset, q.Search}
	want := []any{[]string{"asset.items", "activation_key"}, []string{"asset.product.capabilities"}, "abc", "7", "a+b c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSort_SeveralKeys_IsStable(t *testing.T) {
	t.Parallel()
	doc := func(id, created string) map[string]any { return map[string]any{"id": id, "created": created} }
	rows := []map[string]any{
		doc("c", "2024-01-01T00:00:00+00:00"), doc("a", "2024-01-01T00:00:00.5+00:00"),
		doc("d", "2024-01-01T02:00:00+02:00"), doc("b", "2023-12-31T00:00:00+00:00"), {"id": "e"},
	}
	for query, want := range map[string]string{
		"":                      "cadbe",
		"ordering(created)":     "ebcda",
		"ordering(-created,id)": "acdbe",
		"ordering(-id)":         "edcba",
	} {
		q, err := rql.Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range rql.Sort(q, rows, func(m map[string]any) map[string]any { return m }) {
			got += r["id"].(string)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

func TestRestricts_OnlyConjunctions(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"in(status,(pending,draft))":             {"pending", "draft"},
		"and(eq(id,a),and(status=pending,id=b))": {"pending"},
		"status=pending&limit=1":                 {"pending"},
		"or(status=pending,id=a)":                nil,
		"not(status=pending)":                    nil,
		"eq(status,null())":                      nil,
	} {
		q, err := rql.Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := q.Restricts("status"); !cmp.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestMatchLoose_WhatIsMissing_Fits(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"status": "pending", "asset": "nonsense"}
	for query, want := range map[string]bool{
		"and(in(asset.product.id,(PRD-1)),status=pending)": true,
		"and(in(asset.product.id,(PRD-1)),status=failed)":  false,
	} {
		q, err := rql.Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.MatchLoose(doc); got != want {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"and(in(asset.product.id,(PRD-1)),in(status,(pending)))&limit=100&offset=0", "(a=b|c=d;e=f)", "not(like(a,*b?\\*c*))",
		"select(-a.b,+c)&ordering(-a,b)&search=a+b", `eq(a,"b")&ne(c,null())&d=in=(empty(),'x')`, "a__b__in=1,2%2C3", "a=%zz", "ge(a,2024-01-01)",
	} {
		f.Add(seed)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(sample), &doc); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := rql.Parse(query)
		if err != nil {
			if !errors.Is(err, rql.ErrSyntax) {
				t.Errorf("got %v, want ErrSyntax", err)
			}
			return
		}
		q.Match(doc)
		q.MatchLoose(doc)
		q.Restricts("status")
		rql.Sort(q, []map[string]any{doc, {}}, func(m map[string]any) map[string]any { return m })
	})
}
