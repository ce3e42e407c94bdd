package memory

import "testing"

const mb = 1 << 20

func TestLook_InUse_SetsHowMuchMoreIsTaken(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 100, 64 * mb: 100, 192 * mb: 100, 240 * mb: 80, 384 * mb: 50, 2000 * mb: 50} {
		k := keeper{percent: 100}
		if got, _ := k.look(sample{live: live}); got != want {
			t.Errorf("with %d MB in use: %d %%, want %d", live/mb, got, want)
		}
	}
	k := keeper{percent: 100}
	if got, _ := k.look(sample{live: 200 * mb}); got != 100 {
		t.Errorf("for little more it is changed to %d", got)
	}
}

func TestLook_Calm_GivesBackWhatIsWorthIt(t *testing.T) {
	t.Parallel()
	k := keeper{percent: 100, since: rest}
	now := sample{live: 80 * mb, resident: 100 * mb}
	looks := func(what string, n int, allocated, resident uint64, want bool) {
		t.Helper()
		for i := range n {
			now.allocated += allocated
			now.resident = resident
			if _, free := k.look(now); free != (want && i == n-1) {
				t.Errorf("%s: look %d of %d gives back: %v", what, i+1, n, free)
			}
		}
	}
	looks("busy", 10, 100*mb, 300*mb, false)
	looks("calm", still, mb, 300*mb, true)
	now.resident = 120 * mb
	k.freed(now)
	looks("nothing more is to be had", 10, mb, 120*mb, false)
	looks("a little more", 10, mb, 140*mb, false)
	looks("busy again", 1, 100*mb, 400*mb, false)
	looks("calm again, but not for long", rest-22, mb, 400*mb, false)
	looks("and two minutes later", 1, mb, 400*mb, true)
	now.resident = 200 * mb // it can't be given back
	k.freed(now)
	looks("what could not be given back is not tried again", 2*rest, mb, 210*mb, false)
}
