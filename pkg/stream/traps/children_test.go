package traps

import "context"

// children are the processes that a trap may kill, by role.
func children() map[string]func(ctx context.Context, url string) error {
	return map[string]func(ctx context.Context, url string) error{
		"T3":        readUntilHealthy,
		"T12 stock": failAlways,
		"T8 stock":  stopOften(stockReplica),
		"T8 ours":   stopOften(ourReplica),
	}
}
