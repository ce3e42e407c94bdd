package connectsim

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/headrace/headrace/pkg/connectsim/rql"
)

// page is one page of a list and the Content-Range that goes with it.
type page struct {
	rows    [][]byte
	content string
}

// list answers a collection, filtered and paged as the query asks. Every call
// looks at the collection as it is now, so a list whose rows leave the filter
// moves under the reader, as Connect's do.
func (s *Server) list(c *call, of *collection) (answer, error) {
	q, err := rql.Parse(c.query)
	if err != nil {
		return answer{}, refuse("BAD_000", "%v", err)
	}
	if types, ok := q.Restricts("asset.connection.type"); ok && s.opts.RefusePreview && contains(types, "preview") {
		return answer{}, invalid("asset.connection.type", "Select a valid choice. preview is not one of the available choices.")
	}
	found := of.match(q, s.opts.NewestFirst)
	if q.Search != "" {
		found = search(found, q.Search)
	}
	return answer{page: s.cut(found, q)}, nil
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// search keeps the records that mention the words anywhere.
func search(found []*record, words string) []*record {
	kept := found[:0:0]
	for _, r := range found {
		if bytes.Contains(bytes.ToLower(r.json()), []byte(strings.ToLower(words))) {
			kept = append(kept, r)
		}
	}
	return kept
}

func (s *Server) cut(found []*record, q *rql.Query) *page {
	limit := number(q.Limit, s.opts.DefaultLimit)
	if limit == 0 {
		return &page{content: fmt.Sprintf("items 0-0/%d", len(found))}
	}
	offset := number(q.Offset, 0)
	first := min(offset, len(found))
	last := min(first+min(limit, s.opts.MaxLimit), len(found))
	p := &page{}
	for _, r := range found[first:last] {
		p.rows = append(p.rows, s.selected(r, q))
	}
	end := max(offset+len(p.rows)-1, offset)
	p.content = fmt.Sprintf("items %d-%d/%d", offset, end, len(found))
	return p
}

// number reads a count; what is none is the default.
func number(s string, byDefault int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return byDefault
	}
	return n
}

// selected is the record with the parts that select() adds and without those
// that it drops.
func (s *Server) selected(r *record, q *rql.Query) []byte {
	if r.loose || len(q.Hide)+len(q.Show) == 0 {
		return r.json()
	}
	body := clone(r.body)
	for _, path := range q.Show {
		s.reveal(body, path)
	}
	for _, path := range q.Hide {
		hide(body, strings.Split(path, "."))
	}
	return encode(body)
}

// reveal adds the parts that Connect shows only when asked for.
func (s *Server) reveal(body object, path string) {
	switch {
	case strings.HasSuffix(path, "product.capabilities"), strings.HasSuffix(path, "product"):
		keys := strings.Split(strings.TrimSuffix(path, ".capabilities"), ".")
		if product := child(body, keys...); product != nil {
			if r := s.products.byID[text(product, "id")]; r != nil {
				product["capabilities"] = r.body["capabilities"]
			}
		}
	case path == "pending_request":
		body["pending_request"] = nil
		if open := s.openRequest(text(body, "id")); open != nil {
			body["pending_request"] = object{"id": open.id, "type": open.body["type"], "status": open.body["status"]}
		}
	}
}

func hide(v any, path []string) {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			hide(e, path)
		}
		return
	}
	o, ok := v.(object)
	switch {
	case !ok:
	case len(path) == 1:
		delete(o, path[0])
	default:
		hide(o[path[0]], path[1:])
	}
}

func (p *page) write(w http.ResponseWriter) {
	var b bytes.Buffer
	b.WriteByte('[')
	b.Write(bytes.Join(p.rows, []byte(",")))
	b.WriteByte(']')
	w.Header().Set("Content-Range", p.content)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, _ = w.Write(b.Bytes())
}
