package profile

import (
	"strings"
	"testing"
)

func TestExpression_CannotBeCalculated_ShowsNoValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-SECRET"
	for source, want := range map[string]string{
		`int(param("pw"))`:                    "at character 1: a value is not a number",
		`float(params.pw)`:                    "at character 1: a value is not a number",
		`int(params["pw"])`:                   "a value is not a number",
		`items[5].mpn`:                        "at character 6: an index is out of range",
		`params.pw.part`:                      "no such part",
		`params.pw > 3`:                       "a value is of the wrong type",
		`params.pw + 3`:                       "a value is of the wrong type",
		`fromJSON(param("pw"))`:               "cannot be calculated, at character 1",
		`fromBase64(param("pw"))`:             "cannot be calculated, at character 1",
		`date(param("pw"))`:                   "a value is not a date",
		`duration(param("pw"))`:               "cannot be calculated",
		`param("pw") matches param("pw")+"("`: "cannot be calculated",
		"param(\"pw\") == \"\"\n || int(param(\"pw\")) > 3": "in line 2 of it, at character 5: a value is not a number",
	} {
		f := &faults{file: "x.yaml"}
		e := f.compile(text{source, position{7, "products[0].change.call.body"}}, kind{})
		if err := f.joined(); err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		o := Order{Params: map[string]any{"pw": secret}, Param: func(string) string { return secret }}
		_, err := e.run(o)
		switch {
		case err == nil:
			t.Errorf("%s: calculated", source)
		case !strings.HasPrefix(err.Error(), "x.yaml:7: products[0].change.call.body: cannot be calculated") || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v", source, err)
		case strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "hunter"):
			t.Errorf("%s shows a value: %v", source, err)
		}
	}
}
