// Package vendorapi is the client of the vendor's API as it is without a product profile: tenants that are created, read,
// changed, deleted, disabled and enabled. It makes each call once; whether to repeat one is for its caller, who learns from
// *Error what went wrong and whether the vendor may have acted all the same. It decides nothing about a request.
package vendorapi
