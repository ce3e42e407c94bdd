package stream

import (
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

func TestLog_WatermillsLevels_AreOurs(t *testing.T) {
	t.Parallel()
	logger, hook := test.NewNullLogger()
	logger.SetLevel(logrus.DebugLevel)
	l := newWatermillLog(logrus.NewEntry(logger)).With(watermill.LogFields{"handler": "h"})
	l.Info("i", nil)
	l.Debug("d", nil) // ours is trace: not shown
	l.Trace("t", nil)
	l.Error("e", errors.New("why"), watermill.LogFields{"n": 1})
	all := hook.AllEntries()
	if len(all) != 2 {
		t.Fatalf("%d entries, want 2", len(all))
	}
	if all[0].Level != logrus.DebugLevel || all[0].Data["handler"] != "h" {
		t.Errorf("Info became %v", all[0])
	}
	if e := all[1]; e.Level != logrus.ErrorLevel || e.Data["n"] != 1 || e.Data["error"].(error).Error() != "why" {
		t.Errorf("Error became %v", e)
	}
}
