//go:build !race

package crash

// raceFlag builds the processes like the tests.
const raceFlag = "-race=false"
