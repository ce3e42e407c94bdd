package connect

import (
	"context"
	"fmt"
	"net/http"
)

// AccountsService tells whose key it is.
type AccountsService struct{ client *Client }

// List returns the accounts that the key belongs to: one, as a rule.
func (s *AccountsService) List(ctx context.Context) ([]Ref, error) {
	to, err := at("/accounts")
	if err != nil {
		return nil, err
	}
	var body []byte
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, &body); err != nil {
		return nil, err
	}
	return decodeList[Ref](to, body)
}

// Whoami verifies the key by reading the account that it belongs to (VA-… for
// a vendor). IsUnauthorized tells a key that Connect refuses.
func (s *AccountsService) Whoami(ctx context.Context) (Ref, error) {
	accounts, err := s.List(ctx)
	if err != nil {
		return Ref{}, err
	}
	if len(accounts) == 0 {
		return Ref{}, fmt.Errorf("read account: the key belongs to none")
	}
	return accounts[0], nil
}
