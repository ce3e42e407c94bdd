package connect

// Change says what a request does to an item.
type Change string

// The changes. Unlimited counts as more than any number, and a quantity of 0 as
// not having the item.
const (
	Added     Change = "added"
	Removed   Change = "removed"
	Increased Change = "increased"
	Decreased Change = "decreased"
	Unchanged Change = "unchanged" // also of an item that was never there
)

// Change compares the quantity with the old one, exactly.
func (i *Item) Change() Change {
	switch compared := i.Quantity.Cmp(i.OldQuantity); {
	case compared == 0:
		return Unchanged
	case i.OldQuantity.IsZero():
		return Added
	case i.Quantity.IsZero():
		return Removed
	case compared > 0:
		return Increased
	}
	return Decreased
}

// ItemByMPN returns the item with the vendor's part number, or nil. Of several
// it is the first that has a quantity, new or old. The pointer is into r.
func (r *Request) ItemByMPN(mpn string) *Item {
	var found *Item
	for n := range r.Asset.Items {
		i := &r.Asset.Items[n]
		if i.MPN != mpn {
			continue
		}
		if !i.Quantity.IsZero() || !i.OldQuantity.IsZero() {
			return i
		}
		if found == nil {
			found = i
		}
	}
	return found
}

// Changes lists the items that the request changes, in its order.
func (r *Request) Changes() []Item {
	var changed []Item
	for _, i := range r.Asset.Items {
		if i.Change() != Unchanged {
			changed = append(changed, i)
		}
	}
	return changed
}
