package connect

import (
	"context"
	"net/http"
)

// ProductsService reads the catalogue.
type ProductsService struct{ client *Client }

// Product is what the vendor sells.
type Product struct {
	ID     string `json:"id"` // PRD-…
	Name   string `json:"name"`
	Status string `json:"status"` // draft, published, endofsale
}

// List returns the products that the key may see.
func (s *ProductsService) List(ctx context.Context) ([]Product, error) {
	return listAll[Product](ctx, s.client, location{path: "/products", route: "/products"}, Filter{})
}

// Get reads one product.
func (s *ProductsService) Get(ctx context.Context, id string) (*Product, error) {
	to, err := at("/products/{id}", id)
	if err != nil {
		return nil, err
	}
	p := new(Product)
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, p); err != nil {
		return nil, err
	}
	return p, nil
}

// Parameters returns the definitions of the product's parameters. A
// definition's Name is the ID of the parameter in a request.
func (s *ProductsService) Parameters(ctx context.Context, productID string) ([]Param, error) {
	to, err := at("/products/{id}/parameters", productID)
	if err != nil {
		return nil, err
	}
	return listAll[Param](ctx, s.client, to, Filter{})
}
