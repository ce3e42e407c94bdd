package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/headrace/headrace/pkg/stream"
)

func TestIsTrouble_WayOrMessage_TellsThemApart(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		stream.ErrConflict: true, stream.ErrUnknownOutcome: true, stream.ErrUnreachable: true, stream.ErrNoStream: true,
		stream.ErrLeaseLost: true, stream.ErrDrainTimeout: true, stream.ErrClosed: true, context.Canceled: true,
		stream.ErrTooLarge: false, stream.ErrRefused: false, stream.ErrPoison: false, stream.ErrNotFound: false,
		errors.New("other"): false,
	} {
		if got := stream.IsTrouble(fmt.Errorf("append: %w", err)); got != want {
			t.Errorf("IsTrouble(%v) = %v", err, got)
		}
	}
}
