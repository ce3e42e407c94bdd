// Package vendorsim simulates the API of a vendor, as Headrace calls it without a product profile. It keeps its tenants in
// memory and performs no I/O but the answers.
//
//	POST   /tenant                create; 201 and the tenant
//	GET    /tenant?externalId=X   the tenants of that external id, without it all; 200 and an array, deleted ones left out
//	GET    /tenant/{id}           200 and the tenant
//	PUT    /tenant/{id}           replace items, and what else the body has; 200 and the tenant
//	DELETE /tenant/{id}           204
//	PUT    /tenant/{id}/disable   suspend; 204, also when it is suspended already
//	PUT    /tenant/{id}/enable    resume; 204, also when it is active already
//
// Any path may stand before /tenant. A tenant that is unknown or deleted is 404, a body that is not JSON of the expected
// shape 400, one that breaks a rule 422; the body of every refusal is {"message": "..."}. The rules, for POST and PUT:
//
//   - externalId must not be empty (POST only);
//   - each quantity and oldQuantity is a JSON number of 0 or more, or the string "unlimited";
//   - a parameter whose value is "reject", or "reject: why", is refused, with the why as message. This is how a demo or a
//     test has an order refused.
//
// A parameter whose value is "status: x" makes x the status of the tenant, once it is provisioned: "status: failed" is a
// provisioning that fails.
// A value "slow: 8s" lets the provisioning, or the update, take so long: the status is "processing" until then. A duration
// that cannot be read is refused.
//
// With idempotency mode "key", a call that repeats the Idempotency-Key, method and path of a successful one gets the first
// answer again, with the header Idempotency-Replayed: true, and has no effect; it waits if the first is still running. With
// mode "none" the header is ignored, and a second POST makes a second tenant.
//
// Faults on demand, the record of calls and the reset are those of package simfault, under /_sim/. GET /_sim/tenants and
// GET /_sim/operations show the state: all tenants, deleted ones too, and every effect that a call had.
package vendorsim
