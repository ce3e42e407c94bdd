// Package telemetry holds Headrace's metrics and its health, and serves both
// over HTTP. It has no global registry: New makes one, which is handed down.
// It asks nobody: what it shows was reported to it.
package telemetry
