package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// upstream is a plain client of both upstreams, for the loop and for bare: idle
// connections for every worker, bodies read to their end, one template.
type upstream struct {
	client   *http.Client
	base     string // of the stand-in
	template string
}

func newUpstream(base string, workers int) *upstream {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, workers
	return &upstream{client: &http.Client{Transport: t}, base: base}
}

// call makes a call and returns its answer, or throws that away.
func (u *upstream) call(ctx context.Context, method, path string, body []byte, read bool) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "ApiKey "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	var got []byte
	if read || resp.StatusCode > 299 {
		got, err = io.ReadAll(resp.Body)
	} else {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, got)
	}
	return got, resp.Header, err
}

// list reads all that is pending, page by page, and the template.
func (u *upstream) list(ctx context.Context) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	for total := 1; len(rows) < total; {
		body, header, err := u.call(ctx, http.MethodGet, fmt.Sprintf("%s/requests?eq(status,pending)&limit=%d&offset=%d", apiBase, pageSize, len(rows)), nil, true)
		if err != nil {
			return nil, err
		}
		var page []json.RawMessage
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		_, of, _ := strings.Cut(header.Get("Content-Range"), "/")
		if total, err = strconv.Atoi(of); err != nil {
			return nil, err
		}
		rows = append(rows, page...)
	}
	body, _, err := u.call(ctx, http.MethodGet, apiBase+"/products/PRD-620-114-337/templates", nil, true)
	if err != nil {
		return nil, err
	}
	var templates []struct{ ID string }
	if err := json.Unmarshal(body, &templates); err != nil || len(templates) == 0 {
		return nil, fmt.Errorf("no template in %s", body)
	}
	u.template = templates[0].ID
	return rows, nil
}

// order is what a purchase needs to know of a request.
type order struct {
	ID    string `json:"id"`
	Asset struct {
		ID         string `json:"id"`
		ExternalID string `json:"external_id"`
		Status     string `json:"status"`
		Product    thing  `json:"product"`
		Items      []struct {
			ID          string `json:"id"`
			MPN         string `json:"mpn"`
			Name        string `json:"display_name"`
			Quantity    string `json:"quantity"`
			OldQuantity string `json:"old_quantity"`
		} `json:"items"`
		Params []struct {
			ID    string `json:"id"`
			Phase string `json:"phase"`
			Value string `json:"value"`
		} `json:"params"`
		Marketplace thing `json:"marketplace"`
		Contract    thing `json:"contract"`
		Connection  struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"connection"`
		Tiers struct {
			Customer party `json:"customer"`
			Tier1    party `json:"tier1"`
		} `json:"tiers"`
	} `json:"asset"`
}

type thing struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type party struct {
	ID         string `json:"id"`
	ExternalID string `json:"external_id"`
	Name       string `json:"name"`
	Contact    struct {
		Contact struct {
			Email string `json:"email"`
		} `json:"contact"`
	} `json:"contact_info"`
}

// create has the vendor make a tenant, and returns its id.
func (u *upstream) create(ctx context.Context, o *order) (string, error) {
	type item struct {
		ID          string      `json:"id"`
		MPN         string      `json:"mpn"`
		Quantity    json.Number `json:"quantity"`
		OldQuantity json.Number `json:"oldQuantity"`
	}
	customer := o.Asset.Tiers.Customer
	wanted := struct {
		ExternalID string            `json:"externalId"`
		RequestID  string            `json:"requestId"`
		Product    thing             `json:"product"`
		Items      []item            `json:"items"`
		Customer   map[string]string `json:"customer"`
		Parameters map[string]string `json:"parameters"`
	}{
		ExternalID: o.Asset.ID, RequestID: o.ID, Product: o.Asset.Product,
		Customer:   map[string]string{"id": customer.ID, "externalId": customer.ExternalID, "name": customer.Name, "email": customer.Contact.Contact.Email},
		Parameters: map[string]string{},
	}
	for _, i := range o.Asset.Items {
		if i.Quantity != "0" {
			wanted.Items = append(wanted.Items, item{i.ID, i.MPN, json.Number(i.Quantity), json.Number(i.OldQuantity)})
		}
	}
	for _, p := range o.Asset.Params {
		if p.Phase == "ordering" {
			wanted.Parameters[p.ID] = p.Value
		}
	}
	body, err := json.Marshal(wanted)
	if err != nil {
		return "", err
	}
	got, _, err := u.call(ctx, http.MethodPost, "/tenant", body, true)
	if err != nil {
		return "", err
	}
	var tenant struct{ TenantID string }
	if err := json.Unmarshal(got, &tenant); err != nil {
		return "", err
	}
	return tenant.TenantID, nil
}

// save puts the tenant's id into Connect.
func (u *upstream) save(ctx context.Context, request, tenant string) error {
	_, _, err := u.call(ctx, http.MethodPut, apiBase+"/requests/"+request,
		[]byte(`{"asset":{"params":[{"id":"subscription_id","value":"`+tenant+`"}]}}`), false)
	return err
}

// approve returns Connect's answer where it is read.
func (u *upstream) approve(ctx context.Context, request string, read bool) ([]byte, error) {
	got, _, err := u.call(ctx, http.MethodPost, apiBase+"/requests/"+request+"/approve", []byte(`{"template_id":"`+u.template+`"}`), read)
	return got, err
}

// loop is the ceiling: a program without a bus that makes the calls of each
// purchase one after the other, some purchases at a time.
func loop() error {
	workers, err := strconv.Atoi(os.Getenv("BENCH_WORKERS"))
	if err != nil {
		return err
	}
	ctx, u := context.Background(), newUpstream(os.Getenv("BENCH_UPSTREAM"), workers)
	rows, err := u.list(ctx)
	if err != nil {
		return err
	}
	// All at once they would stay abreast, and wait for each other at every call.
	pace := make(chan struct{}, 1)
	go func() {
		for range workers {
			pace <- struct{}{}
			time.Sleep(time.Millisecond)
		}
		close(pace)
	}()
	err = parallel(workers, rows, func(row json.RawMessage) error {
		<-pace
		var o order
		if err := json.Unmarshal(row, &o); err != nil {
			return err
		}
		tenant, err := u.create(ctx, &o)
		if err != nil {
			return err
		}
		if err := u.save(ctx, o.ID, tenant); err != nil {
			return err
		}
		_, err = u.approve(ctx, o.ID, false)
		return err
	})
	_, _ = io.Copy(io.Discard, os.Stdin) // until it was measured
	return err
}

// parallel does the same for each, by so many workers. It ends at the first
// error.
func parallel[T any](workers int, each []T, do func(T) error) error {
	work := make(chan T)
	stop := make(chan struct{})
	var once sync.Once
	var failed error
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for one := range work {
				if err := do(one); err != nil {
					once.Do(func() { failed = err; close(stop) })
					return
				}
			}
		})
	}
	for _, one := range each {
		select {
		case work <- one:
			continue
		case <-stop:
		}
		break
	}
	close(work)
	wg.Wait()
	return failed
}
