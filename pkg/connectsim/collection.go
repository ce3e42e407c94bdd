package connectsim

import (
	"cmp"
	"slices"
	"sync"

	"github.com/headrace/headrace/pkg/connectsim/rql"
)

// record is one version of a stored object. It never changes: an update puts
// another in its place, so that readers need no lock once they hold it.
type record struct {
	seq  int
	id   string
	body object
	// loose marks a raw row, which may lack anything and is listed wherever
	// nothing in it says otherwise.
	loose bool

	once    sync.Once
	encoded []byte
}

// json is the record as it is sent, encoded once.
func (r *record) json() []byte {
	r.once.Do(func() {
		if r.encoded == nil {
			r.encoded = encode(r.body)
		}
	})
	return r.encoded
}

// collection holds the records of one kind in the order of their creation. It
// is guarded by the Server's lock.
type collection struct {
	rows     []*record
	byID     map[string]*record
	byStatus map[string][]*record
}

func newCollection() *collection {
	return &collection{byID: map[string]*record{}, byStatus: map[string][]*record{}}
}

func bySeq(r *record, seq int) int { return cmp.Compare(r.seq, seq) }

// put stores body under its id, as a new record or in the place of the old.
func (c *collection) put(body object) *record {
	return c.store(&record{id: text(body, "id"), body: body})
}

func (c *collection) store(r *record) *record {
	if old := c.byID[r.id]; old != nil && r.id != "" {
		r.seq = old.seq
		c.rows[r.seq] = r
		c.unindex(old)
	} else {
		r.seq = len(c.rows)
		c.rows = append(c.rows, r)
	}
	if r.id != "" {
		c.byID[r.id] = r
	}
	status := text(r.body, "status")
	at, _ := slices.BinarySearchFunc(c.byStatus[status], r.seq, bySeq)
	c.byStatus[status] = slices.Insert(c.byStatus[status], at, r)
	return r
}

func (c *collection) unindex(r *record) {
	status := text(r.body, "status")
	if at, ok := slices.BinarySearchFunc(c.byStatus[status], r.seq, bySeq); ok {
		c.byStatus[status] = slices.Delete(c.byStatus[status], at, at+1)
	}
}

// get returns the record, or an error that is answered as 404.
func (c *collection) get(id string) (*record, error) {
	if r := c.byID[id]; r != nil {
		return r, nil
	}
	return nil, errNotFound
}

// edit returns a copy of the object to be changed and put back, a fork.
func (c *collection) edit(id string) (object, error) {
	r, err := c.get(id)
	if err != nil {
		return nil, err
	}
	return fork(r.body), nil
}

// match returns the records that fit q, in q's order.
func (c *collection) match(q *rql.Query, newestFirst bool) []*record {
	var found []*record
	for _, r := range c.candidates(q) {
		if r.loose && q.MatchLoose(r.body) || !r.loose && q.Match(r.body) {
			found = append(found, r)
		}
	}
	if newestFirst && !q.Ordered() {
		slices.Reverse(found)
	}
	return rql.Sort(q, found, func(r *record) object { return r.body })
}

// candidates narrows the search to the statuses that q asks for: the pending
// are few among all that was ever done.
func (c *collection) candidates(q *rql.Query) []*record {
	statuses, ok := q.Restricts("status")
	if !ok {
		return c.rows
	}
	if len(statuses) == 1 {
		return c.byStatus[statuses[0]]
	}
	slices.Sort(statuses)
	var found []*record
	for _, s := range slices.Compact(statuses) {
		found = append(found, c.byStatus[s]...)
	}
	slices.SortFunc(found, func(a, b *record) int { return cmp.Compare(a.seq, b.seq) })
	return found
}
