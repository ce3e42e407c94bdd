package cli

import (
	"strings"
	"testing"
)

func TestScope_WhatWouldSelectAllOrNothing_IsWrongUse(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"dead redrive --yes --request=":                   "it is empty",
		"dead discard --yes --asset=":                     "it is empty",
		"dead discard --yes --letter-reason=":             "it is empty",
		"replay requests --again --yes --product=":        "it is empty",
		"dead list --type purchas":                        "did you mean purchase?",
		"dead list --stage hol":                           "did you mean hold?",
		"dead list --stage audit":                         "there are decode, type, hold, process, commit",
		"dead audit --deed redrived":                      "did you mean redriven?",
		"requests list --state wating":                    "did you mean waiting?",
		"requests list --since 1h --until 2h":             "is not before --until",
		"dead list --since 1h --until 2h":                 "is not before --until",
		"dead audit --since 1h --until 2h":                "is not before --until",
		"dead redrive --since 1h --until 2h --dry-run":    "is not before --until",
		"replay events --since 1h --until 2h --dry-run":   "is not before --until",
		"replay results --from-seq 9 --to-seq 3 --yes":    "--from-seq 9 is beyond --to-seq 3",
		"replay results --wait=-1s --yes":                 "--wait -1s",
		"replay results --rate inf --yes":                 "--rate +Inf is not between",
		"dead redrive --stage hold --rate 1e-9 --yes":     "--rate 1e-09 is not between",
		"dead redrive --stage hold --rate 1e12 --dry-run": "--rate 1e+12 is not between",
	} {
		got := headrace(t, nil, strings.Fields(args)...)
		if got.status != statusUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", args, got.status, statusUsage, want, got.stderr)
		}
	}
}

func TestScope_UnknownType_IsLookedFor(t *testing.T) {
	t.Parallel()
	if got := letters(t).try(t, "dead", "list", "--type", "something-of-tomorrow"); got.status != statusDone {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}
