package connect

import (
	"context"
	"fmt"
	"net/http"
)

// AssetsService reads subscriptions as they are, whatever their requests say.
type AssetsService struct{ client *Client }

// Get reads one asset.
func (s *AssetsService) Get(ctx context.Context, id string) (*Asset, error) {
	to, err := at("/assets/{id}", id)
	if err != nil {
		return nil, err
	}
	var body []byte
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, &body); err != nil {
		return nil, err
	}
	a := new(Asset)
	if err := decodeTolerant(body, a); err != nil {
		return nil, fmt.Errorf("get asset %s: %w", id, err)
	}
	if err := require(field{"id", a.ID}, field{"product.id", a.Product.ID}); err != nil {
		return nil, fmt.Errorf("get asset %s: %w", id, err)
	}
	return a, nil
}
