package committer

import "testing"

func TestFaults_ManyResults_AreForgottenInTheirTurn(t *testing.T) {
	t.Parallel()
	var f faults
	for range 3 {
		f.add(1)
	}
	f.add(2)
	f.drop(2)
	if n := f.add(2); n != 1 {
		t.Errorf("%d faults of a result that was dealt with, want 1", n)
	}
	for seq := uint64(3); seq < generation+10; seq++ {
		f.add(seq)
	}
	if n := f.add(1); n != 4 {
		t.Errorf("%d faults after a generation, want 4", n)
	}
	for seq := uint64(3); seq < 5*generation; seq++ {
		f.add(seq)
	}
	if n := len(f.young) + len(f.old); n > 2*generation {
		t.Errorf("%d results remembered", n)
	}
	if n := f.add(1); n != 1 {
		t.Errorf("%d faults of a result that was not asked about for long, want 1", n)
	}
}
