package bench

import "testing"

// What is compared must do the same: a few purchases show it.
func TestScene_AFewPurchases_SameCallsAndMessages(t *testing.T) {
	t.Parallel()
	sc := scene{requests: 12, sync: "1s"}
	stored := map[string]float64{}
	for _, c := range sc.contenders() {
		got := c.run(t, setting{dir: tempDir(t, ""), inside: true})
		t.Log(c.name, got)
		if got["vendor"] != 1 || got["connect"] != calls-1 {
			t.Errorf("%s: %v calls of the vendor and %v of Connect for each purchase", c.name, got["vendor"], got["connect"])
		}
		stored[c.name] = got["stored"]
	}
	if stored["headrace"] != stored["bare"] || stored["bare"] == 0 {
		t.Errorf("for each purchase Headrace stores %v messages and bare %v", stored["headrace"], stored["bare"])
	}
}
