package pipelinetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headrace/headrace/pkg/fulfillment"
)

// Disorder tells what is wrong with the events of one request, in the order in
// which they lie in the stream: nil is nothing. A step is told once, an episode
// begins with the fact that it was opened and ends with an event that closes it,
// and what became of the subscription is told directly before its approval.
func Disorder(events []fulfillment.EventBody) []string {
	var wrong []string
	var told []string       // of this episode
	var closed uint64       // the last episode that was
	var last, end eventStep // the event before, and the last that closed
	for _, e := range events {
		step := stepOf(e)
		say := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s of episode %d of %s after %v: %s", step, e.Episode, e.RequestID, told, fmt.Sprintf(format, args...)))
		}
		if e.Episode != last.episode {
			if e.Episode < last.episode {
				say("episode %d had begun", last.episode)
			}
			if last.episode != closed {
				say("episode %d is not closed", last.episode)
			}
			told = nil
		} else if e.Episode == closed {
			say("the episode is closed")
		}
		// What is approved is only carried out again, of which the beginning is not told.
		if opening := openingAfter(end.event); len(told) == 0 && end.event != fulfillment.EventApproved && e.Event != opening {
			say("it begins with %s", opening)
		}
		if slices.Contains(told, step) {
			say("it is told twice")
		}
		of := fulfillment.SubscriptionEvent(e.Type)
		if e.Event == fulfillment.EventApproved && !slices.Contains(told, string(of)) {
			say("%s comes before", of)
		}
		if slices.Contains(told, string(of)) && e.Event != fulfillment.EventApproved && e.Letter == 0 {
			say("approved comes next")
		}
		told = append(told, step)
		last = eventStep{e.Event, e.Episode}
		if e.Event.Closes() {
			closed, end = e.Episode, last
		}
	}
	return wrong
}

// eventStep is an event of an episode.
type eventStep struct {
	event   fulfillment.Event
	episode uint64
}

func openingAfter(e fulfillment.Event) fulfillment.Event {
	if e == fulfillment.EventInquiring {
		return fulfillment.EventAnswered
	}
	return fulfillment.EventReceived
}

func stepOf(e fulfillment.EventBody) string {
	return strings.TrimSuffix(fmt.Sprintf("%s/%d", e.Event, e.Letter), "/0")
}
