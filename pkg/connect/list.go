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

// walkRows reads a list whose rows may leave it meanwhile, and hands each page to
// take with the total that the server told last, -1 where it tells none. A row
// that stays is met, some more than once. It ends with take's error.
func (c *Client) walkRows(ctx context.Context, path string, filter Filter, decode decoder, take Take) error {
	to := location{path: path, route: path}
	if _, refused := c.refusedOrder.Load(path); refused {
		return c.walkRowsBy(ctx, to, filter, orderLoose, decode, take)
	}
	err := c.walkRowsBy(ctx, to, filter, orderStrict, decode, take)
	if !HasStatus(err, http.StatusBadRequest) {
		return err
	}
	looseErr := c.walkRowsBy(ctx, to, filter, orderLoose, decode, take)
	if HasStatus(looseErr, http.StatusBadRequest) {
		return err // it was not the order
	}
	c.refusedOrder.Store(path, true)
	return looseErr
}

// decoder reads a page of a list.
type decoder func(page []byte) ([]Row, error)

// Take is given a page of a list. An error ends the reading.
type Take func(rows []Row, total int) error

func (c *Client) walkRowsBy(ctx context.Context, to location, filter Filter, order string, decode decoder, take Take) error {
	var stop error
	total := -1
	read := c.fetcher(to, filter, order, decode)
	fetch := func(ctx context.Context, limit, offset int) (page, error) {
		if stop != nil {
			return page{}, stop
		}
		p, err := read(ctx, limit, offset)
		total = p.total
		return p, err
	}
	seen := map[string]bool{} // where no total is told, what is new tells the end
	add := func(rows []Row) (fresh int) {
		for i := 0; i < len(rows) && total < 0; i++ {
			if key := keyOf(rows[i]); !seen[key] {
				seen[key] = true
				fresh++
			}
		}
		if stop == nil {
			stop = take(rows, total)
		}
		return fresh
	}
	if err := collect(ctx, c.settings.pageSize, fetch, add); err != nil {
		return err
	}
	return stop
}

// keyOf tells one row from another.
func keyOf(r Row) string {
	if r.ID == "" {
		return "raw " + string(r.Raw)
	}
	return "id " + r.ID
}

// listRows is walkRows for who wants all rows at once, each once, by creation,
// then id.
func (c *Client) listRows(ctx context.Context, path string, filter Filter, decode decoder) ([]Row, error) {
	var rows []Row
	index := make(map[string]int)
	err := c.walkRows(ctx, path, filter, decode, func(page []Row, _ int) error {
		for _, row := range page {
			key := keyOf(row)
			if i, seen := index[key]; seen {
				rows[i] = row
				continue
			}
			index[key] = len(rows)
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
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
	add := func(page []Row) (fresh int) {
		for _, row := range page {
			if seen[string(row.Raw)] {
				continue
			}
			seen[string(row.Raw)] = true
			raws = append(raws, row.Raw)
			fresh++
		}
		return fresh
	}
	if err := collect(ctx, c.settings.pageSize, c.fetcher(to, filter, "", splitRows), add); err != nil {
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
func (c *Client) fetcher(to location, filter Filter, order string, decode decoder) fetchFunc {
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
		rows, err := decode(body)
		if err != nil {
			return page{}, fmt.Errorf("GET %s: decode list: %w", to.path, err)
		}
		return page{rows: rows, total: contentTotal(header.Get("Content-Range"))}, nil
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
