package cli

import (
	"errors"
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"

	"github.com/headrace/headrace/pkg/config"
	"github.com/headrace/headrace/pkg/profile"
)

// settings reads the configuration and checks it for what a command needs; all
// faults come in one error.
func (p *Program) settings(need config.Need) (*config.Config, error) {
	cfg, err := config.Load(p.sources())
	err = errors.Join(err, cfg.Check(need))
	if cfg.Profiles != "" && need.Connect { // those who look after a broker need none
		_, faults := profile.Load(cfg.Profiles, cfg.Vendor)
		err = errors.Join(err, faults)
	}
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

func (p *Program) sources() config.Sources {
	return config.Sources{File: p.configFile, Environ: p.Environ, WorkDir: p.WorkDir}
}

// logger makes the one entry that is handed down. It writes to the standard
// error: the standard output belongs to results.
func (p *Program) logger(c config.Log) *logrus.Entry {
	l := logrus.New()
	l.SetOutput(p.Stderr)
	// Load has checked the level; the zero Log of a test is info.
	if level, err := logrus.ParseLevel(c.Level); err == nil {
		l.SetLevel(level)
	}
	// Fractions of a second, since replicas' lines are put in order by them.
	const stamp = "2006-01-02T15:04:05.000Z07:00"
	if c.Format == "text" || c.Format == "" && terminal(p.Stderr) {
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: stamp})
	} else {
		l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: stamp})
	}
	return logrus.NewEntry(l)
}

// terminal reports whether a stream of the process is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
