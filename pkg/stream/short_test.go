//go:build !traps

package stream_test

// longSuite is whether Watermill's suite runs in its long form.
const longSuite = false
