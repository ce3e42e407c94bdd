package fulfillment

import (
	"strconv"
	"time"
)

// Limit is the body of a message that says how many requests a service may have
// in flight over all processes. The stream keeps the last one.
type Limit struct {
	Service string    `json:"service"`
	Limit   int       `json:"limit"`
	By      string    `json:"by"` // the process that says so
	Time    time.Time `json:"time"`
}

// LimitSubject is fulfillment.limits.<service>.
func LimitSubject(service string) string { return RootLimits + "." + EscapeToken(service) }

// SlotSubject is fulfillment.slots.<service>.<n>, with n from 1.
func SlotSubject(service string, n int) string {
	return RootSlots + "." + EscapeToken(service) + "." + strconv.Itoa(n)
}

// SlotFilter matches all slots of a service.
func SlotFilter(service string) string { return RootSlots + "." + EscapeToken(service) + ".*" }
