package broker

import (
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"
)

// serverLog hands the server's log on, and keeps what it calls fatal: the
// server doesn't return the error that kept it from starting, it logs it and
// expects the process to end.
type serverLog struct {
	log   *logrus.Entry
	fatal chan string
}

func newServerLog(log *logrus.Entry) *serverLog {
	return &serverLog{log: log, fatal: make(chan string, 1)}
}

// Noticef is the server's info, our debug.
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debugf(format, v...) }

// Warnf keeps warnings, but for the one that the credential, which is random
// and lives in this process and in a private file, isn't hashed.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords detected") {
		l.log.Debugf(format, v...)
		return
	}
	l.log.Warnf(format, v...)
}

// Errorf keeps errors.
func (l *serverLog) Errorf(format string, v ...any) { l.log.Errorf(format, v...) }

// Fatalf doesn't end the process: the first is what Start returns.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
		l.log.Errorf(format, v...)
	}
}

// Debugf is the server's debug.
func (l *serverLog) Debugf(format string, v ...any) { l.log.Debugf(format, v...) }

// Tracef is the server's trace: every protocol line, if it were on.
func (l *serverLog) Tracef(format string, v ...any) { l.log.Tracef(format, v...) }
