package connect_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/headrace/headrace/pkg/connect"
)

func quantity(t interface{ Fatal(...any) }, s string) connect.Quantity {
	q, err := connect.ParseQuantity(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestItem_Change_IsExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		old, now string
		want     connect.Change
	}{
		{"0", "1", connect.Added},
		{"", "0.5", connect.Added},
		{"0", "unlimited", connect.Added},
		{"0", "-1", connect.Added},
		{"1", "0", connect.Removed},
		{"unlimited", "0", connect.Removed},
		{"1", "1.5", connect.Increased},
		{"1000000", "unlimited", connect.Increased},
		{"0.1", "0.10000000000000000001", connect.Increased},
		{"1.5", "1.25", connect.Decreased},
		{"-1", "1000000", connect.Decreased},
		{"0", "0", connect.Unchanged},
		{"0", "0.00", connect.Unchanged},
		{"1.50", "1.5", connect.Unchanged},
		{"-1", "unlimited", connect.Unchanged},
	} {
		i := connect.Item{Quantity: quantity(t, tt.now), OldQuantity: quantity(t, tt.old)}
		if got := i.Change(); got != tt.want {
			t.Errorf("from %q to %q: %s, want %s", tt.old, tt.now, got, tt.want)
		}
	}
}

// TestItem_Change_TurnedAround_IsTheOpposite draws quantities in hundredths.
func TestItem_Change_TurnedAround_IsTheOpposite(t *testing.T) {
	t.Parallel()
	opposite := map[connect.Change]connect.Change{
		connect.Added: connect.Removed, connect.Removed: connect.Added,
		connect.Increased: connect.Decreased, connect.Decreased: connect.Increased,
		connect.Unchanged: connect.Unchanged,
	}
	draw := rapid.Custom(func(t *rapid.T) connect.Quantity {
		if rapid.IntRange(0, 9).Draw(t, "unlimited") == 0 {
			return connect.Quantity{Unlimited: true}
		}
		return connect.Quantity{Value: decimal.New(rapid.Int64Range(0, 500).Draw(t, "hundredths"), -2)}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		there, back := connect.Item{Quantity: a, OldQuantity: b}, connect.Item{Quantity: b, OldQuantity: a}
		if opposite[there.Change()] != back.Change() {
			t.Fatalf("%s to %s is %s, and back it is %s", b, a, there.Change(), back.Change())
		}
		if (there.Change() == connect.Unchanged) != a.Equal(b) {
			t.Fatalf("%s to %s is %s", b, a, there.Change())
		}
	})
}

func TestRequest_Items_FoundAndCompared(t *testing.T) {
	t.Parallel()
	r := connect.Request{}
	for n, i := range []struct{ mpn, old, now string }{
		{"A", "0", "0"}, {"B", "1", "2"}, {"A", "3", "0"}, {"C", "4", "4"},
	} {
		r.Asset.Items = append(r.Asset.Items, connect.Item{
			ID: strconv.Itoa(n), MPN: i.mpn, OldQuantity: quantity(t, i.old), Quantity: quantity(t, i.now),
		})
	}
	if i := r.ItemByMPN("A"); i == nil || i.ID != "2" {
		t.Errorf("A is %+v, want the one that has a quantity", i)
	}
	if i := r.ItemByMPN("D"); i != nil {
		t.Errorf("there is a D: %+v", i)
	}
	var changed []string
	for _, i := range r.Changes() {
		changed = append(changed, i.ID)
	}
	if diff := cmp.Diff([]string{"1", "2"}, changed); diff != "" {
		t.Error(diff)
	}
}
