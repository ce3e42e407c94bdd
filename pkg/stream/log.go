package stream

import (
	"io"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/sirupsen/logrus"
)

func discardLogger() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

// watermillLog gives Watermill a logrus entry to write to. What it calls Info
// is our Debug: it speaks at Info of every handler it starts.
type watermillLog struct{ entry *logrus.Entry }

func newWatermillLog(e *logrus.Entry) watermill.LoggerAdapter { return watermillLog{entry: e} }

func (l watermillLog) Error(msg string, err error, f watermill.LogFields) {
	l.entry.WithFields(logrus.Fields(f)).WithError(err).Error(msg)
}

func (l watermillLog) Info(msg string, f watermill.LogFields) { l.log(logrus.DebugLevel, msg, f) }

func (l watermillLog) Debug(msg string, f watermill.LogFields) { l.log(logrus.TraceLevel, msg, f) }

func (l watermillLog) Trace(msg string, f watermill.LogFields) { l.log(logrus.TraceLevel, msg, f) }

func (l watermillLog) log(level logrus.Level, msg string, f watermill.LogFields) {
	// The fields are copied only if somebody reads them: Watermill speaks
	// several times a message.
	if l.entry.Logger.IsLevelEnabled(level) {
		l.entry.WithFields(logrus.Fields(f)).Log(level, msg)
	}
}

func (l watermillLog) With(f watermill.LogFields) watermill.LoggerAdapter {
	return watermillLog{entry: l.entry.WithFields(logrus.Fields(f))}
}
