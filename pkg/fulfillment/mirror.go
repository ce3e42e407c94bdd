package fulfillment

// Events leave our account of a broker through mirrors alone: a durable of ours
// hands them to a stream of another account, which so needs no right to make
// consumers here. See docs/decisions/0010-readers-have-their-own-account.md.

// MirrorAPI is what stands for $JS.API in an account that mirrors the events.
const MirrorAPI = "headrace.API"

// MirrorDurable is the durable of FULFILLMENT_EVENTS that feeds the mirror in
// an account.
func MirrorDurable(account string) string { return "mirror-" + account }

// MirrorSubject is what the durable hands its messages out on.
func MirrorSubject(account string) string { return "fulfillment-mirror." + account }
