package profile

// position is where something was written; the zero position is nowhere.
type position struct {
	Line int
	Path string
}

// text is a scalar of the file. What it must be beyond that is checked when the
// file is compiled.
type text struct {
	Value string
	At    position
}

func (t text) given() bool { return t.At.Line > 0 }

// What follows is the shape of the file. The tags are read by the decoder (yaml,
// enum, need) and by the JSON Schema (kind, without, doc too).

// product is one entry of products.
type product struct {
	At           position
	ID           text       `yaml:"id" need:"true" doc:"Connect's id of the product, PRD-…"`
	Environments []text     `yaml:"environments" enum:"production,test,preview" doc:"types of connection that this entry is for; default all"`
	Mode         text       `yaml:"mode" enum:"automatic,manual" doc:"manual leaves every request to a person; default automatic"`
	Vendor       vendorPart `yaml:"vendor" doc:"how to reach the vendor; what is missing is taken from the settings of that name"`
	TenantParam  text       `yaml:"tenant_param" doc:"fulfillment parameter that holds the vendor's tenant id; default subscription_id"`
	Overdue      text       `yaml:"overdue" kind:"duration" doc:"how long a tenant may take to become ready before the request is held; default for ever"`
	Purchase     *operation `yaml:"purchase" doc:"what is done for a purchase"`
	Change       *operation `yaml:"change" doc:"what is done for a change"`
	Cancel       *operation `yaml:"cancel" doc:"what is done for a cancellation"`
	Suspend      *operation `yaml:"suspend" doc:"what is done for a suspension"`
	Resume       *operation `yaml:"resume" doc:"what is done for a resumption"`
	Adjustment   *operation `yaml:"adjustment" doc:"what is done for an adjustment; default hold"`
	Renew        *operation `yaml:"renew" doc:"what is done for a renewal; default hold"`
	Transfer     *operation `yaml:"transfer" doc:"what is done for a transfer; default hold"`
	TierSetup    *operation `yaml:"tier_setup" doc:"what is done to set a reseller up; default approve"`
	TierUpdate   *operation `yaml:"tier_update" doc:"what is done to update a reseller; default approve"`
	TierAdjust   *operation `yaml:"tier_adjustment" doc:"what is done to adjust a reseller; default approve"`
	Validation   []rule     `yaml:"validation" doc:"what parameters must be; the customer is asked to correct what is wrong"`
	Limits       []limit    `yaml:"limits" doc:"quantities that are sold; other orders fail, unless they only come nearer to what is sold"`
	Refuse       []refusal  `yaml:"refuse" doc:"orders that fail"`
	Templates    templates  `yaml:"templates" doc:"what the customer is told; default the product's own templates"`
	IfRefused    text       `yaml:"if_refused" enum:"fail,hold" doc:"what becomes of a request whose parameters Connect refuses, or whose required fulfillment parameters stay empty; default fail, for a reseller's hold"`
}

// vendorPart is how to reach the vendor.
type vendorPart struct {
	At          position
	Endpoint    text  `yaml:"endpoint" doc:"base URL of the vendor's API; may have a path"`
	Idempotency text  `yaml:"idempotency" enum:"key,none" doc:"key: the vendor honours Idempotency-Key; none: it does not"`
	Timeout     text  `yaml:"timeout" kind:"duration" doc:"how long a call may take; default 1m"`
	Auth        *auth `yaml:"auth" doc:"credentials; default none"`
}

// auth is how to prove who we are. Which fields go with which type, authFields
// tells.
type auth struct {
	At           position
	Type         text    `yaml:"type" need:"true" enum:"none,header,basic,bearer,oauth2" doc:"header: one of your own; oauth2: client credentials"`
	Name         text    `yaml:"name" doc:"header: its name"`
	Value        *secret `yaml:"value" doc:"header: its value"`
	Username     text    `yaml:"username" doc:"basic: the user"`
	Password     *secret `yaml:"password" doc:"basic: the password"`
	Token        *secret `yaml:"token" doc:"bearer: the token"`
	TokenURL     text    `yaml:"token_url" doc:"oauth2: where tokens are given"`
	ClientID     text    `yaml:"client_id" doc:"oauth2: the client"`
	ClientSecret *secret `yaml:"client_secret" doc:"oauth2: the client's secret"`
	ClientAuth   text    `yaml:"client_auth" enum:"basic,post" doc:"oauth2: whether client and secret go into a header, or into the form; default basic"`
	Scopes       []text  `yaml:"scopes" doc:"oauth2: scopes to ask for"`
}

// secret names where a secret is. It is never in the file itself.
type secret struct {
	At   position
	Env  text `yaml:"env" doc:"variable that holds it"`
	File text `yaml:"file" doc:"file that holds it"`
}

// operation is what is done for one type of request.
type operation struct {
	At       position
	Policy   text            `yaml:"policy" enum:"call,approve,hold" doc:"approve: without a call; hold: a person decides; default call where there is one"`
	Save     map[string]text `yaml:"save" kind:"expression" doc:"approve: parameters to save in Connect; what is empty is left alone"`
	Call     *call           `yaml:"call" doc:"the call that does it; for a purchase, the one that creates the tenant"`
	Then     []call          `yaml:"then" doc:"calls to make after that; they may be repeated"`
	Lookup   *search         `yaml:"lookup" doc:"purchase: how to find the tenant where it is not known whether the call took effect; default none"`
	Status   *call           `yaml:"status" doc:"asks how the tenant is doing, again and again until it is ready"`
	Tenant   text            `yaml:"tenant" kind:"answer" doc:"purchase: the tenant's id in the answer to call; default answer.tenantId"`
	Ready    text            `yaml:"ready" kind:"answer" doc:"whether the last answer says that all is done"`
	Pending  text            `yaml:"pending" kind:"answer" doc:"whether the last answer says that the vendor needs time"`
	Failed   text            `yaml:"failed" kind:"answer" doc:"whether the last answer says that the vendor gave up"`
	Reason   text            `yaml:"reason" kind:"answer" doc:"why it failed, for the customer"`
	Rejected *rejected       `yaml:"rejected" doc:"what becomes of a request that the vendor rejects with 400, 409 or 422; default fail"`
}

// call is one HTTP call.
type call struct {
	At       position
	Method   text            `yaml:"method" need:"true" enum:"GET,POST,PUT,PATCH,DELETE" doc:"the method"`
	Path     text            `yaml:"path" need:"true" doc:"below the endpoint; {expression} is replaced by its value"`
	Body     text            `yaml:"body" kind:"expression" doc:"sent as JSON; default no body"`
	Headers  map[string]text `yaml:"headers" kind:"expression" doc:"more headers; no secrets, those belong to auth"`
	Requires []text          `yaml:"requires" kind:"answer" doc:"what must not be empty in the answer, else the request fails"`
	Save     map[string]text `yaml:"save" kind:"answer" doc:"parameters to save in Connect; what is empty is left alone"`
	NotFound text            `yaml:"not_found" enum:"done,hold" doc:"what 404 means; default done for a cancellation, else hold"`
}

// search is the call that finds the tenants of an asset.
type search struct {
	At       position
	Method   text            `yaml:"method" need:"true" enum:"GET,POST" doc:"the method"`
	Path     text            `yaml:"path" need:"true" doc:"below the endpoint; {expression} is replaced by its value, which must not be empty"`
	Body     text            `yaml:"body" kind:"expression" doc:"sent as JSON; default no body"`
	Headers  map[string]text `yaml:"headers" kind:"expression" doc:"more headers; no secrets, those belong to auth"`
	Tenant   text            `yaml:"tenant" need:"true" kind:"answer" doc:"the tenant's id in the answer, or a list of ids; what is empty says that there is no tenant"`
	NotFound text            `yaml:"not_found" enum:"none,hold" doc:"what 404 means; none: there is no tenant; default hold"`
	Settle   text            `yaml:"settle" kind:"duration" doc:"how long after a call was begun its tenant may not be found yet; default the timeout and 40s"`
}

// rejected says what becomes of a request that the vendor rejects.
type rejected struct {
	At       position
	Decision text `yaml:"decision" need:"true" enum:"fail,inquire,hold" doc:"inquire asks the customer to correct param"`
	Param    text `yaml:"param" doc:"inquire: the parameter that gets the vendor's message"`
}

// rule is what a parameter must be.
type rule struct {
	At       position
	Param    text   `yaml:"param" need:"true" doc:"id of the ordering parameter"`
	Scope    text   `yaml:"scope" enum:"asset,tier1,tier2" doc:"whose parameter it is; default asset"`
	When     text   `yaml:"when" kind:"expression" doc:"when the rule holds; default always"`
	Required text   `yaml:"required" kind:"bool" doc:"whether it must not be empty"`
	Pattern  text   `yaml:"pattern" doc:"regular expression that the whole value must match"`
	Min      text   `yaml:"min" kind:"number" doc:"it must be a number of at least this"`
	Max      text   `yaml:"max" kind:"number" doc:"it must be a number of at most this"`
	Choices  []text `yaml:"choices" doc:"the values that it may have"`
	Valid    text   `yaml:"valid" kind:"expression" doc:"whether it is right"`
	Message  text   `yaml:"message" doc:"what the customer reads, instead of the built-in sentence"`
}

// limit is how much of an item is sold.
type limit struct {
	At     position
	Item   text `yaml:"item" need:"true" doc:"MPN of the item; * is each item"`
	Min    text `yaml:"min" kind:"number" doc:"least quantity of what is ordered first, or less than before"`
	Max    text `yaml:"max" kind:"number" doc:"greatest quantity of what is ordered first, or more than before"`
	Reason text `yaml:"reason" doc:"why the request fails; default a sentence with the limit"`
}

// refusal is an order that fails.
type refusal struct {
	At     position
	When   text   `yaml:"when" need:"true" kind:"expression" doc:"when the request is refused"`
	Types  []text `yaml:"types" enum:"purchase,change,cancel,suspend,resume,adjustment,renew,transfer,tier-setup,tier-update,tier-adjustment" doc:"types of request that it is for; default purchase and change"`
	Reason text   `yaml:"reason" need:"true" doc:"why, for the customer"`
}

// templates is what the customer is told.
type templates struct {
	At          position
	Approve     *template `yaml:"approve" doc:"with the approval of a request"`
	TierApprove *template `yaml:"tier_approve" without:"tile" doc:"with the approval of a reseller's request"`
	Inquire     *template `yaml:"inquire" without:"tile" doc:"with an inquiry"`
}

// template is one of Connect's templates, or a text.
type template struct {
	At    position
	ID    text `yaml:"id" doc:"Connect's id, TL-…"`
	Name  text `yaml:"name" doc:"its name in the product"`
	Param text `yaml:"param" doc:"configuration parameter that holds the id"`
	Tile  text `yaml:"tile" kind:"expression" doc:"approve: Markdown, in a template's place"`
}
