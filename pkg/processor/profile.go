package processor

import (
	"context"
	"slices"
	"time"

	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/upstream"
)

// DefaultTenantParam is the fulfillment parameter that holds the vendor's
// tenant id where a profile says nothing else.
const DefaultTenantParam = "subscription_id"

// Profile is how the requests of one product are carried out.
type Profile struct {
	// Vendor makes the calls. Nil where no type of the product calls one.
	Vendor Vendor
	// Upstream is whom Vendor calls. Nil is nobody that could be down.
	Upstream *upstream.Upstream
	// Idempotent says that the vendor honours Idempotency-Key.
	Idempotent bool
	// Finder finds what a purchase has at the vendor already. Nil where the vendor
	// cannot be asked for that.
	Finder Finder
	// Settle is how long after a call was begun a Finder may miss its tenant.
	Settle time.Duration
	// TenantParam is the fulfillment parameter that holds the tenant id.
	TenantParam string
	// Manual holds every request for a person.
	Manual bool
	// Decider, if set, takes the place of the type's service.
	Decider Decider
	// Validate looks at a request before the vendor is called; false says that
	// there is nothing wrong with it. Nil checks nothing.
	Validate func(w *Work) (Verdict, bool)
	// Rejection makes of a vendor's rejection what the profile says. Nil fails
	// the request.
	Rejection func(w *Work, v Verdict) Verdict
	// Policies says what becomes of a type. A type that is missing is PolicyCall
	// for the five main ones and PolicyHold for adjustment, renew and transfer;
	// a tier configuration request is PolicyApprove.
	Policies map[fulfillment.Type]Policy
	// Overdue is how long a tenant may take to become ready; then the request is
	// held. 0 is for ever.
	Overdue time.Duration
	// IfRefused says what becomes of a request whose parameters Connect refuses
	// for good, or whose required fulfillment parameters are left empty: Fail,
	// Hold, or "", which fails a request and holds one of a tier.
	IfRefused fulfillment.Decision
	// Approval and Inquiry choose what the customer is told of a verdict. Nil is
	// the product's default; an error holds the request.
	Approval, Inquiry func(w *Work, v Verdict) (fulfillment.Template, error)
}

// Policy says what becomes of the requests of one type.
type Policy string

// The policies.
const (
	PolicyCall    Policy = "call"    // the vendor is called
	PolicyApprove Policy = "approve" // approved without a call
	PolicyHold    Policy = "hold"    // a person decides
)

// Policy is the policy of a type.
func (p *Profile) Policy(t fulfillment.Type) Policy {
	if policy, said := p.Policies[t]; said {
		return policy
	}
	switch t {
	case fulfillment.Adjustment, fulfillment.Renew, fulfillment.Transfer:
		return PolicyHold
	case fulfillment.TierSetup, fulfillment.TierUpdate, fulfillment.TierAdjustment:
		return PolicyApprove
	default:
		return PolicyCall
	}
}

// Upstreams are whom the requests of the types may need, by these profiles; none
// if there is one that needs nobody.
func Upstreams(profiles []*Profile, types ...fulfillment.Type) []*upstream.Upstream {
	var all []*upstream.Upstream
	for _, p := range profiles {
		for _, t := range types {
			u := p.upstream(t)
			if u == nil {
				return nil
			}
			if !slices.Contains(all, u) {
				all = append(all, u)
			}
		}
	}
	return all
}

// upstream is whom a request of type t needs, nil if nobody.
func (p *Profile) upstream(t fulfillment.Type) *upstream.Upstream {
	if p.Manual || p.Decider != nil || p.Policy(t) != PolicyCall {
		return nil
	}
	return p.Upstream
}

// Profiles chooses the profile of a request. An error is one that a person must
// mend, and holds the request.
type Profiles func(w *Work) (*Profile, error)

// Vendor makes the calls to one vendor's system. Its errors are *vendorapi.Error
// where the vendor answered or could not be reached; see VendorFault.
type Vendor interface {
	// Create creates the tenant of a purchase. It is the one call that is unsafe
	// to repeat: an intent is on disk before it.
	Create(ctx context.Context, w *Work) (Answer, error)
	// Continue brings a tenant that exists to readiness, or asks how it is doing.
	// It is repeated freely.
	Continue(ctx context.Context, w *Work, tenant string) (Answer, error)
	// Call carries out a request of any other type. It is repeated freely.
	// Tenant is "" for a tier configuration request.
	Call(ctx context.Context, w *Work, tenant string) (Answer, error)
}

// Finder asks the vendor which tenants it has for the asset of a purchase. It is
// repeated freely. Its errors are those of a Vendor.
type Finder interface {
	Find(ctx context.Context, w *Work) (Findings, error)
}

// Findings is what a Finder found.
type Findings struct {
	Tenants []string // ids, each once; none: there is no such tenant
	// Reason, if set, says why the answer makes no sense: nothing is known then.
	Reason string
}

// Answer is what a vendor's answer means.
type Answer struct {
	State  State
	Status string // in the vendor's words, for people
	// Params are what to save, the tenant id among them.
	Params []fulfillment.Param
	// Reason, with Rejected and Failed, is what the customer is told, and with
	// Strange what the person reads. Only Rejected must have one.
	Reason string
}

// State says how the vendor's side stands.
type State int

// The states. The zero State is one that is not known: it is for a person.
const (
	Strange    State = iota
	Ready            // done
	Pending          // the vendor needs time
	Unfinished       // created, but more calls are to be made
	Failed           // the vendor gave up
	Rejected         // an answer that lacks what it must contain
	Gone             // there is no such tenant
)
