package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fakeList is a list that changes between the reads of its pages.
type fakeList struct {
	ids     []int
	most    int  // the server's largest page
	silent  bool // does not tell the total
	between func(*fakeList)
	reads   int
}

func (l *fakeList) fetch(_ context.Context, limit, offset int) (page, error) {
	if l.reads++; l.reads > 1 && l.between != nil {
		l.between(l)
	}
	from := min(offset, len(l.ids))
	to := min(from+min(limit, l.most), len(l.ids))
	p := page{total: len(l.ids)}
	if l.silent {
		p.total = -1
	}
	for _, id := range l.ids[from:to] {
		p.rows = append(p.rows, Row{Raw: json.RawMessage(strconv.Itoa(id))})
	}
	return p, nil
}

// collector is what add of collect does, for bare numbers.
type collector map[string]bool

func (c collector) add(rows []Row) (fresh int) {
	for _, r := range rows {
		if !c[string(r.Raw)] {
			c[string(r.Raw)] = true
			fresh++
		}
	}
	return fresh
}

// forward pages as every official client does.
func forward(ctx context.Context, limit int, fetch fetchFunc, add func([]Row) int) error {
	for offset := 0; ; {
		p, err := fetch(ctx, limit, offset)
		if err != nil || len(p.rows) == 0 {
			return err
		}
		add(p.rows)
		offset += len(p.rows)
	}
}

// drawList is a list of which, before each page, some rows leave and the server
// may cut its pages further.
func drawList(t *rapid.T) (l *fakeList, limit int) {
	n := rapid.IntRange(0, 120).Draw(t, "rows")
	l = &fakeList{most: rapid.IntRange(1, 30).Draw(t, "most"), silent: rapid.Bool().Draw(t, "silent")}
	for i := range n {
		l.ids = append(l.ids, i)
	}
	l.between = func(l *fakeList) {
		leave := rapid.IntRange(0, min(12, len(l.ids))).Draw(t, "leave")
		for range leave {
			i := rapid.IntRange(0, len(l.ids)-1).Draw(t, "row")
			l.ids = slices.Delete(l.ids, i, i+1)
		}
		if !l.silent && rapid.IntRange(0, 5).Draw(t, "cut") == 0 {
			l.most = rapid.IntRange(1, l.most).Draw(t, "most")
		}
	}
	return l, rapid.IntRange(1, 40).Draw(t, "limit")
}

func lost(l *fakeList, got collector) []int {
	var out []int
	for _, id := range l.ids {
		if !got[strconv.Itoa(id)] {
			out = append(out, id)
		}
	}
	return out
}

func TestCollect_MovingWindow_LosesNoRowThatStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, limit := drawList(t)
		got := collector{}
		if err := collect(t.Context(), limit, l.fetch, got.add); err != nil {
			t.Fatal(err)
		}
		if missing := lost(l, got); missing != nil {
			t.Fatalf("lost %v", missing)
		}
	})
}

// The counter-example that the reading order is for: half of the rows leave
// while they are handled.
func TestCollect_ForwardPaging_LosesHalf(t *testing.T) {
	t.Parallel()
	run := func(read func(context.Context, int, fetchFunc, func([]Row) int) error) (handled int) {
		l := &fakeList{most: 100}
		for i := range 1000 {
			l.ids = append(l.ids, i)
		}
		got := collector{}
		l.between = func(l *fakeList) { // what was read has been approved
			l.ids = slices.DeleteFunc(l.ids, func(id int) bool { return got[strconv.Itoa(id)] })
		}
		if err := read(t.Context(), 100, l.fetch, got.add); err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	if n := run(forward); n != 500 {
		t.Errorf("forward paging handled %d, want 500 of 1000: the test does not show the loss any more", n)
	}
	if n := run(collect); n != 1000 {
		t.Errorf("collect handled %d, want 1000", n)
	}
}

func TestCollect_RowsEnterInTheMiddle_LosesNone(t *testing.T) {
	t.Parallel()
	l := &fakeList{most: 100}
	for i := range 500 {
		l.ids = append(l.ids, 10*i)
	}
	before := slices.Clone(l.ids)
	l.between = func(l *fakeList) { l.ids = slices.Insert(l.ids, 3, -l.reads) }
	got := collector{}
	if err := collect(t.Context(), 100, l.fetch, got.add); err != nil {
		t.Fatal(err)
	}
	if missing := lost(&fakeList{ids: before}, got); missing != nil {
		t.Errorf("lost %v", missing)
	}
}

func TestCollect_OnePage_OneCall(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 99, 100} {
		l := &fakeList{most: 1000, ids: make([]int, n)}
		if err := collect(t.Context(), 100, l.fetch, collector{}.add); err != nil || l.reads != 1 {
			t.Errorf("%d rows: %d reads, %v", n, l.reads, err)
		}
	}
}

func TestCollect_ServerIgnoresOffset_Ends(t *testing.T) {
	t.Parallel()
	reads := 0
	fetch := func(context.Context, int, int) (page, error) {
		reads++
		return page{rows: []Row{{Raw: []byte(`1`)}, {Raw: []byte(`2`)}}, total: -1}, nil
	}
	got := collector{}
	if err := collect(t.Context(), 100, fetch, got.add); err != nil || len(got) != 2 || reads != 3 {
		t.Errorf("got %v in %d reads, %v", got, reads, err)
	}
}

// listServer serves rows as Connect does, from the query as it decodes it.
func listServer(t *testing.T, rows []string, most int, refuse string) *server {
	return newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		query, _ := url.PathUnescape(r.URL.RawQuery)
		if refuse != "" && strings.Contains(query, refuse) {
			answer(w, 400, `{"error_code":"BAD_000","errors":["Bad ordering."]}`)
			return
		}
		var limit, offset int
		for _, part := range strings.Split(query, "&") {
			_, _ = fmt.Sscanf(part, "limit=%d", &limit)
			_, _ = fmt.Sscanf(part, "offset=%d", &offset)
		}
		from := min(offset, len(rows))
		to := min(from+min(limit, most), len(rows))
		w.Header().Set("Content-Range", fmt.Sprintf("items %d-%d/%d", from, max(from, to-1), len(rows)))
		answer(w, 200, "["+strings.Join(rows[from:to], ",")+"]")
	})
}

func numbered(n int) (rows []string) {
	for i := range n {
		rows = append(rows, requestBody(fmt.Sprintf("PR-%03d", i), "pending"))
	}
	return rows
}

func TestRequests_List_AllPagesInOrder(t *testing.T) {
	t.Parallel()
	rows := append(numbered(25), `{"id":"PR-bad","asset":7}`, `null`)
	s := listServer(t, rows, 4, "")
	got, err := s.client(t, WithPageSize(10)).Requests.List(t.Context(), RequestQuery{Products: []string{"PRD-1"}, Statuses: []string{"pending"}, Types: []string{"change"}})
	if err != nil {
		t.Fatal(err)
	}
	var ids, bad []string
	for _, r := range got {
		ids = append(ids, r.ID)
		if r.Err != nil {
			bad = append(bad, string(r.Raw))
		}
	}
	if len(got) != 27 || !slices.IsSorted(ids) {
		t.Errorf("got %d rows: %v", len(got), ids)
	}
	if diff := cmp.Diff([]string{"null", `{"id":"PR-bad","asset":7}`}, bad); diff != "" {
		t.Error(diff)
	}
	first := s.seen()[0]
	want := "and(in(asset.product.id,(PRD-1)),in(status,(pending)),in(type,(change)))&ordering(created,id)&limit=10&offset=0"
	if first.Path != "/public/v1/requests" || first.Query != want {
		t.Errorf("got %s?%s, want %s", first.Path, first.Query, want)
	}
}

func TestRequests_List_OrderRefused_FallsBackOnce(t *testing.T) {
	t.Parallel()
	s := listServer(t, numbered(3), 100, "ordering(created,id)")
	c := s.client(t)
	for range 2 {
		if got, err := c.Requests.List(t.Context(), RequestQuery{}); err != nil || len(got) != 3 {
			t.Fatalf("got %d rows, %v", len(got), err)
		}
	}
	if calls := s.seen(); len(calls) != 3 || calls[2].Query != "ordering(created)&limit=100&offset=0" {
		t.Errorf("got %d calls: %v", len(calls), calls)
	}
}

func TestRequests_List_RefusedFilter_IsTheError(t *testing.T) {
	t.Parallel()
	s := listServer(t, nil, 100, "limit")
	_, err := s.client(t).Requests.List(t.Context(), RequestQuery{})
	if !HasStatus(err, 400) || len(s.seen()) != 2 {
		t.Errorf("got %v after %d calls", err, len(s.seen()))
	}
}

func TestTierRequests_List_Filters(t *testing.T) {
	t.Parallel()
	s := listServer(t, []string{tierBody("TCR-1", "pending")}, 100, "")
	got, err := s.client(t).TierRequests.List(t.Context(), RequestQuery{Products: []string{"PRD-1", "PRD-2"}, Statuses: []string{"pending"}})
	if err != nil || len(got) != 1 || got[0].AssetID != "TC-1" || got[0].Err != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := "and(in(configuration.product.id,(PRD-1,PRD-2)),in(status,(pending)))&ordering(created,id)&limit=100&offset=0"
	if c := s.seen()[0]; c.Path != "/public/v1/tier/config-requests" || c.Query != want {
		t.Errorf("got %s?%s", c.Path, c.Query)
	}
}
