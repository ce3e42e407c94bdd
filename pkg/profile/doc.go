// Package profile makes of the products in the settings file what the services
// need to carry out their requests: the calls to the vendor, what of the answers
// goes to Connect, what a customer is asked to correct, and what is refused.
//
// Load reads and checks everything, expressions and their types included, and
// tells every fault at once with file, line and field. It reads no secret and
// opens no connection; Set.Profiles does the former.
package profile
