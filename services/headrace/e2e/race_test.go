//go:build race

package e2e

// raceFlag builds what the tests were built from anyway.
const raceFlag = "-race"
