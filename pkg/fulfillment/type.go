package fulfillment

// Type is Connect's word for what a request asks for. Connect adds types
// without notice, so a value outside the constants is legal and must survive.
type Type string

// The asset request types of Connect, and its three types of tier
// configuration request (Connect calls those setup, update and adjustment; the
// prefix keeps them apart from the asset types).
const (
	Purchase   Type = "purchase"
	Change     Type = "change"
	Cancel     Type = "cancel"
	Suspend    Type = "suspend"
	Resume     Type = "resume"
	Adjustment Type = "adjustment"
	Renew      Type = "renew"
	Transfer   Type = "transfer"

	TierSetup      Type = "tier-setup"
	TierUpdate     Type = "tier-update"
	TierAdjustment Type = "tier-adjustment"
)

// Types lists the known types: the eight of asset requests, then the three of
// tier configuration requests.
func Types() []Type {
	return []Type{
		Purchase, Change, Cancel, Suspend, Resume, Adjustment, Renew, Transfer,
		TierSetup, TierUpdate, TierAdjustment,
	}
}

// Known reports whether t is one of Types. A known type waits in the stream
// whether or not its service runs; an unknown one is dead-lettered.
func (t Type) Known() bool {
	for _, k := range Types() {
		if t == k {
			return true
		}
	}
	return false
}

// Tier reports whether t is a type of tier configuration request.
func (t Type) Tier() bool {
	return t == TierSetup || t == TierUpdate || t == TierAdjustment
}

// TierType is the Type of a tier configuration request that Connect calls s.
func TierType(s string) Type { return Type("tier-" + s) }
