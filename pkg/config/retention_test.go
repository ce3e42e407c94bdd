package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headrace/headrace/pkg/config"
)

func TestRetention_TooShort_RequestsNeverOutliveTheirRecords(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		ages [4]time.Duration // of requests, results, events and dead letters
		want []config.Record
	}{
		"longer":                {[4]time.Duration{day, 2 * day, 2 * day, 2 * day}, nil},
		"equal":                 {[4]time.Duration{day, day, day, day}, []config.Record{config.Results}},
		"shorter":               {[4]time.Duration{2 * day, day, day, day}, []config.Record{config.Results, config.Events, config.Dead}},
		"records for ever":      {[4]time.Duration{day, 0, 0, 0}, nil},
		"all for ever":          {[4]time.Duration{}, nil},
		"requests alone for ev": {[4]time.Duration{0, day, 0, day}, []config.Record{config.Results, config.Dead}},
	} {
		r := config.Retention{Requests: tt.ages[0], Results: tt.ages[1], Events: tt.ages[2], Dead: tt.ages[3]}
		if diff := cmp.Diff(tt.want, r.TooShort()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if short := config.Default().Retention.TooShort(); len(short) > 0 {
		t.Errorf("the defaults are too short: %v", short)
	}
}
