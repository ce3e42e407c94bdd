package connect

import "context"

// page is a part of a list, and how many rows the list had then; -1 where the
// server did not say.
type page struct {
	rows  []Row
	total int
}

type fetchFunc func(ctx context.Context, limit, offset int) (page, error)

// collect reads a list to the end and hands each page to add, which drops the
// rows it has seen and returns how many were new.
//
// The rows of a filter such as "pending" leave it while the list is read, and
// those behind move up: whoever reads forward skips as many as have left. Hence
// the first page only tells the total and the server's true page size, and the
// list is read from its end down to row 0. A row that stays can only move
// towards row 0, so it is met on a page that is still to come. Pages overlap by
// a tenth, so that a few rows may also enter at their old place between two
// reads (a request whose inquiry was answered).
func collect(ctx context.Context, limit int, fetch fetchFunc, add func([]Row) int) error {
	first, err := fetch(ctx, limit, 0)
	if err != nil {
		return err
	}
	add(first.rows)
	size, total := len(first.rows), first.total
	if size == 0 || total >= 0 && total <= size {
		return nil
	}
	if total < 0 {
		if total, err = probe(ctx, size, fetch, add); err != nil {
			return err
		}
	}
	return descend(ctx, size, total+size/10, fetch, add)
}

// descend reads the rows below end in pages of size, from the last to the
// first.
func descend(ctx context.Context, size, end int, fetch fetchFunc, add func([]Row) int) error {
	for end > 0 {
		offset := max(0, end-size)
		p, err := fetch(ctx, size, offset)
		if err != nil {
			return err
		}
		add(p.rows)
		got := len(p.rows)
		if got > 0 && got < size && offset+got < min(end, p.total) {
			size = got // the server gives less at a time than before: read on from the same end
			continue
		}
		if offset == 0 {
			return nil
		}
		end = offset + size/10
		if p.total >= 0 {
			end = min(end, p.total)
		}
	}
	return nil
}

// probe finds the end of a list whose server does not tell the total: an empty
// page, or one without news from a server that does not know offsets.
func probe(ctx context.Context, size int, fetch fetchFunc, add func([]Row) int) (end int, err error) {
	for end = size; ; {
		p, err := fetch(ctx, size, end)
		if err != nil {
			return 0, err
		}
		if add(p.rows) == 0 {
			return end, nil
		}
		end += len(p.rows)
	}
}
