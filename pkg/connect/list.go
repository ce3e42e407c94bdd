package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The orders of a moving list. Where rows of the same second have no order of
// their own, a page may repeat one and miss the other; but the specification
// does not promise that fulfillment requests can be ordered by id, so a refusal
// (400) is answered with the second.
const (
	orderStrict = "created,id"
	orderLoose  = "created"
)

// listRows reads a list whose rows may leave it meanwhile.
func (c *Client) listRows(ctx context.Context, path string, filter Filter, decode func(json.RawMessage) Row) ([]Row, error) {
	to := location{path: path, route: path}
	if _, refused := c.refusedOrder.Load(path); refused {
		return c.listRowsBy(ctx, to, filter, orderLoose, decode)
	}
	rows, err := c.listRowsBy(ctx, to, filter, orderStrict, decode)
	if !HasStatus(err, http.StatusBadRequest) {
		return rows, err
	}
	rows, looseErr := c.listRowsBy(ctx, to, filter, orderLoose, decode)
	if HasStatus(looseErr, http.StatusBadRequest) {
		return nil, err // it was not the order
	}
	c.refusedOrder.Store(path, true)
	return rows, looseErr
}

func (c *Client) listRowsBy(ctx context.Context, to location, filter Filter, order string, decode func(json.RawMessage) Row) ([]Row, error) {
	var rows []Row
	index := make(map[string]int)
	add := func(page []json.RawMessage) (fresh int) {
		for _, raw := range page {
			row := decode(raw)
			key := "id " + row.ID
			if row.ID == "" {
				key = "raw " + string(raw)
			}
			if i, seen := index[key]; seen {
				rows[i] = row
				continue
			}
			index[key] = len(rows)
			rows = append(rows, row)
			fresh++
		}
		return fresh
	}
	if err := collect(ctx, c.settings.pageSize, c.fetcher(to, filter, order), add); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return rows, nil
}

// listAll reads a list that stands still and decodes its rows.
func listAll[T any](ctx context.Context, c *Client, to location, filter Filter) ([]T, error) {
	var raws []json.RawMessage
	seen := make(map[string]bool)
	add := func(page []json.RawMessage) (fresh int) {
		for _, raw := range page {
			if seen[string(raw)] {
				continue
			}
			seen[string(raw)] = true
			raws = append(raws, raw)
			fresh++
		}
		return fresh
	}
	if err := collect(ctx, c.settings.pageSize, c.fetcher(to, filter, ""), add); err != nil {
		return nil, err
	}
	return decodeRaws[T](to, raws)
}

func decodeList[T any](to location, body []byte) ([]T, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(body, &raws); err != nil {
		return nil, fmt.Errorf("GET %s: decode list: %w", to.path, err)
	}
	return decodeRaws[T](to, raws)
}

func decodeRaws[T any](to location, raws []json.RawMessage) ([]T, error) {
	out := make([]T, len(raws))
	for i, raw := range raws {
		if err := decodeTolerant(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("GET %s: decode row %d: %w", to.path, i, err)
		}
	}
	return out, nil
}

// fetcher reads pages of the list at to.
func (c *Client) fetcher(to location, filter Filter, order string) fetchFunc {
	return func(ctx context.Context, limit, offset int) (page, error) {
		to, err := to.with(filter, order, limit, offset)
		if err != nil {
			return page{}, err
		}
		var body []byte
		header, err := c.call(ctx, http.MethodGet, to, nil, &body)
		if err != nil {
			return page{}, err
		}
		var p page
		if err := json.Unmarshal(body, &p.rows); err != nil {
			return page{}, fmt.Errorf("GET %s: decode list: %w", to.path, err)
		}
		p.total = contentTotal(header.Get("Content-Range"))
		return p, nil
	}
}

// with adds a query: <filter>&ordering(…)&limit=…&offset=….
func (l location) with(filter Filter, order string, limit, offset int) (location, error) {
	if err := filter.Err(); err != nil {
		return l, fmt.Errorf("GET %s: filter: %w", l.path, err)
	}
	var parts []string
	if f := filter.String(); f != "" {
		parts = append(parts, f)
	}
	if order != "" {
		parts = append(parts, "ordering("+order+")")
	}
	parts = append(parts, "limit="+strconv.Itoa(limit), "offset="+strconv.Itoa(offset))
	l.query = encodeQuery(strings.Join(parts, "&"))
	return l, nil
}

// contentTotal reads the total of "items 0-99/250", or -1.
func contentTotal(header string) int {
	_, text, found := strings.Cut(header, "/")
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if !found || err != nil || n < 0 {
		return -1
	}
	return n
}
