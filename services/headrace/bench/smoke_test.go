package bench

import "testing"

// What is measured must be the same for all: a few purchases show it.
func TestScene_AFewPurchases_MakeTheSameCalls(t *testing.T) {
	t.Parallel()
	sc := scene{requests: 12, sync: "1s"}
	for _, c := range sc.contenders() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.run(t, setting{dir: tempDir(t, ""), inside: true})
			t.Log(got)
			if got["vendor"] != 1 || got["connect"] < calls-1 {
				t.Errorf("%v calls of the vendor and %v of Connect for each purchase", got["vendor"], got["connect"])
			}
		})
	}
}
