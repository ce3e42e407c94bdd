package connectsim

import (
	"fmt"
	"time"
)

// LoadOptions says how many pending requests Load adds.
type LoadOptions struct {
	Purchases, Changes, Cancels, Suspends, Resumes int
	Adjustments, Renews, Transfers                 int
	TierRequests                                   int
}

// Seed adds n pending requests of each of the five types, and returns the
// tenants that the vendor must have for them.
func (s *Server) Seed(n int) []Tenant {
	return s.Load(LoadOptions{Purchases: n, Changes: n, Cancels: n, Suspends: n, Resumes: n})
}

// Load adds pending requests, each with an asset of its own, and returns the
// tenants that the vendor must have for them. The types are mixed, and
// customers, resellers and quantities vary in a fixed order.
func (s *Server) Load(o LoadOptions) []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	had := len(s.tenants)
	s.load(o)
	return append([]Tenant(nil), s.tenants[had:]...)
}

func (s *Server) load(o LoadOptions) {
	todo := []struct {
		kind string
		left int
	}{
		{typePurchase, o.Purchases}, {typeChange, o.Changes}, {typeCancel, o.Cancels},
		{typeSuspend, o.Suspends}, {typeResume, o.Resumes},
		{typeAdjustment, o.Adjustments}, {typeRenew, o.Renews}, {typeTransfer, o.Transfers},
	}
	// Each is created a second after the one before, and the last just now.
	count := 0
	for _, t := range todo {
		count += t.left
	}
	created := s.opts.Now().Truncate(time.Second).Add(-time.Duration(count) * time.Second)
	for more := true; more; {
		more = false
		for i := range todo {
			if todo[i].left == 0 {
				continue
			}
			todo[i].left--
			more = true
			created = created.Add(time.Second)
			s.loadOne(todo[i].kind, created)
		}
	}
	for i := range o.TierRequests {
		s.loadTier(i)
	}
}

func (s *Server) loadOne(kind string, created time.Time) {
	i := len(s.requests.rows)
	products := startProducts()
	product := products[i%len(products)]
	customer := customers()[i%len(customers())]
	n := NewRequest{
		Type: kind, ProductID: product.ID, Created: created, Customer: customer,
		Reseller: resellers()[i%len(resellers())], Lines: lines(kind, product, i),
		Params: map[string]string{"admin_email": customer.Email, "company_phone": "+31305550142"},
	}
	asset := text(s.addRequest(n).body, "asset", "id")
	if kind != typePurchase {
		s.tenants = append(s.tenants, Tenant{ID: TenantOf(asset), AssetID: asset, Suspended: kind == typeResume})
	}
}

// lines varies what is bought: one item, several, fractions, pay as you go in
// both its spellings, and items that stay at zero.
func lines(kind string, p Product, i int) []Line {
	const none = "0"
	all := [][]string{
		{"5", none, none}, {"10", "2", "-1"}, {"1.5", "3", none}, {"1", none, "unlimited"},
		{"unlimited", "1", "-1"}, {"25", "0.25", none}, {"-1", "12", none},
	}
	after, before := all[i/2%len(all)], all[(i/2+3)%len(all)]
	var out []Line
	for at, item := range p.Items {
		l := Line{Item: item.MPN, Quantity: after[at], Old: after[at]}
		switch kind {
		case typePurchase:
			l.Old = none
		case typeChange:
			l.Old = before[at]
		case typeCancel:
			l.Quantity = none
		}
		out = append(out, l)
	}
	return out
}

func customers() []Account {
	return []Account{
		{Name: "Tulip Bakery BV", FirstName: "Ilse", City: "Amsterdam", Country: "NL", Email: "ilse@example.com"},
		{Name: "Bäckerei Größmann GmbH", FirstName: "Jürgen", City: "Köln", Country: "DE", Email: "jurgen@example.com"},
		{Name: "株式会社さくら", FirstName: "花子", City: "東京", Country: "JP", Email: "hanako@example.com"},
		{Name: "Łódź Żagle Sp. z o.o.", FirstName: "Żaneta", City: "Łódź", Country: "PL", Email: "zaneta@example.com"},
		{Name: "Παπαδόπουλος ΑΕ", FirstName: "Ελένη", City: "Αθήνα", Country: "GR", Email: "eleni@example.com"},
		{Name: "شركة النور", FirstName: "ليلى", City: "دبي", Country: "AE", Email: "layla@example.com"},
		{Name: `O'Brien & "Sons" <Ltd>`, FirstName: "Seán", City: "Corcaigh", Country: "IE", Email: "sean@example.com"},
	}
}

// resellers are few, so that tier requests and purchases meet in them; every
// third order comes through none.
func resellers() []Account {
	return []Account{
		{ID: "TA-8814-2207-6635", Name: "Canal Resellers", Email: "ops@canal.example.com"},
		{ID: "TA-8814-2207-6636", Name: "Société Générale du Nuage", Country: "FR", Email: "ops@nuage.example.com"},
		{},
	}
}

func (s *Server) loadTier(i int) {
	kinds := []string{"setup", "update", typeAdjustment}
	kind := kinds[i%len(kinds)]
	number := len(s.tierRequests.rows) + 1
	contact, level := "reseller_contact", 1
	if i%5 == 3 {
		contact, level = "distributor_contact", 2
	}
	n := NewTierRequest{
		Type: kind, Level: level, ProductID: startProducts()[i%2].ID,
		Account: Account{ID: fmt.Sprintf("TA-9100-0000-%04d", number), Name: fmt.Sprintf("Reseller %d", number)},
		Params:  map[string]string{contact: fmt.Sprintf("partner%d@example.com", number)},
	}
	s.addTierRequest(n)
}
