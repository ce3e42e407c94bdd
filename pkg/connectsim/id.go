package connectsim

import (
	"fmt"
	"strings"
)

// digits makes up twelve digits in groups of four: every id differs, all look
// arbitrary, and a fresh simulator gives out the same ones in the same order.
func (st *state) digits() string {
	const first, step, all = 730211846650, 618033988753, 1_000_000_000_000
	n := (first + step*st.ids%all) % all
	st.ids++
	return fmt.Sprintf("%04d-%04d-%04d", n/100_000_000, n/10_000%10_000, n%10_000)
}

// nextID is the id of the next request of an asset or tier configuration: its
// digits and a count.
func (st *state) nextID(prefix, owner string) string {
	st.seq[owner]++
	_, number, _ := strings.Cut(owner, "-")
	return fmt.Sprintf("%s-%s-%03d", prefix, number, st.seq[owner])
}
