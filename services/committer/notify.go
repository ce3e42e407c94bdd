package committer

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/headrace/headrace/pkg/connect"
	"github.com/headrace/headrace/pkg/fulfillment"
	"github.com/headrace/headrace/pkg/guard"
	"github.com/headrace/headrace/pkg/redact"
	"github.com/headrace/headrace/pkg/stream"
	"github.com/headrace/headrace/pkg/upstream"
)

// Conversations is what the Notifier needs of Connect beside the requests.
type Conversations interface {
	// ForRequest returns nil where the request has no conversation.
	ForRequest(ctx context.Context, requestID string) (*connect.Conversation, error)
	PostOnce(ctx context.Context, conversationID, text, typ string) (posted bool, err error)
}

// NotifierConfig is what a Notifier is made of.
type NotifierConfig struct {
	Log           Log
	Requests      Requests
	TierRequests  TierRequests
	Conversations Conversations
	Logger        *logrus.Entry
	// DryRun says what would be posted and posts nothing.
	DryRun bool
}

// Notifier tells people what they should know of a request, in a private
// message of its conversation: that it is held or dead, that it failed, that it
// waits for long.
//
//	consumes   fulfillment.dead.{hold,type,process,commit}.> (durable note-held)
//	           fulfillment.events.*.failed.> (note-failed)
//	           fulfillment.retries.> (note-waits, headers only)
//	calls      Connect: reads the request and its conversation, posts
//
// No message is there twice: before it is posted the conversation is read, so
// that a redelivery, a replay or a request held again for the same reason adds
// nothing. Connect has no key against repeats; hence each durable must be
// handled one at a time in a process, and of the letters or events of a request
// only the last is told, so that two processes have no two of one request in
// hand. What remains: a process that stalls within its POST for longer than the
// ack wait, or a request held anew by another process within that POST.
type Notifier struct {
	NotifierConfig
	now  func() time.Time
	told *told
}

// NewNotifier returns a Notifier.
func NewNotifier(c NotifierConfig) *Notifier {
	c.Logger = c.Logger.WithField("service", "committer")
	return &Notifier{NotifierConfig: c, now: time.Now, told: newTold()}
}

// maxNoteAttempts bounds the tries of a note on what is not understood. Nothing
// depends on a note, so it is given up then.
const maxNoteAttempts = 8

// Handle posts what a message of one of the three durables is worth to people.
// It is a stream.Handler; it may be called again at any time.
func (n *Notifier) Handle(ctx context.Context, d *stream.Delivery) error {
	note, err := n.read(ctx, d)
	if err == nil && note != nil {
		err = n.tell(ctx, note)
	}
	if err == nil {
		return nil
	}
	entry := n.Logger.WithError(err).WithFields(logrus.Fields{"subject": d.Subject, "attempt": d.Attempt})
	switch {
	case connect.IsNotFound(err) || errors.Is(err, connect.ErrID):
		return nil // no request, or its conversation is gone: nobody is there to be told
	case refused(err) || !understood(err) && d.Attempt >= maxNoteAttempts:
		entry.Warn("people are not told in the conversation")
		return nil
	}
	pause := notePause(err, d.Attempt, n.now())
	entry.WithField("pause", pause).Debug("conversation will be tried again")
	return stream.RetryAfter(err, pause)
}

// notePause is how long a note rests after an error.
func notePause(err error, attempt int, now time.Time) time.Duration {
	if guard.Refused(err) {
		return 0
	}
	const first, most = time.Second, 20 * time.Second
	if rest, closed := upstream.Rest(err, now); closed {
		return rest
	}
	pause := min(first<<min(attempt-1, 10), most)
	if api := (*connect.APIError)(nil); errors.As(err, &api) {
		pause = max(pause, api.RetryAfter)
	}
	return pause
}

// tell posts the note, if the request still stands as it says.
func (n *Notifier) tell(ctx context.Context, note *note) error {
	has, err := targetOf(note.key.Type, n.Requests, n.TierRequests).get(ctx, note.key.Request)
	if err != nil {
		return err
	}
	if has.status != note.status {
		return nil
	}
	conversation, err := n.Conversations.ForRequest(ctx, note.key.Request)
	if err != nil || conversation == nil {
		return err
	}
	secrets, err := n.secrets(ctx, note, has.params)
	if err != nil {
		return err
	}
	text := note.text(secrets.Text(note.reason))
	entry := n.Logger.WithFields(logrus.Fields{
		"request_id": note.key.Request, "request_type": note.key.Type,
		"asset_id": note.key.Asset, "product_id": note.key.Product,
	})
	if n.DryRun {
		entry.Infof("dry run: would post to %s: %s", conversation.ID, text)
		return nil
	}
	posted, err := n.Conversations.PostOnce(ctx, conversation.ID, text, connect.MessagePrivate)
	if err == nil && posted {
		entry.Info("posted to the request's conversation")
	}
	if err == nil && note.once != "" {
		n.told.add(note.once)
	}
	return err
}

// secrets are the values in and around the request that no text may hold.
func (n *Notifier) secrets(ctx context.Context, note *note, params []connect.Param) (*redact.Secrets, error) {
	hidden := new(redact.Secrets)
	for _, p := range params {
		hidden.Param(p.ID, p.Type, p.Value)
	}
	hidden.JSON(note.body)
	m, err := n.Log.Last(ctx, fulfillment.StreamResults, note.key.Subject(fulfillment.RootResults))
	switch {
	case err == nil:
		hidden.JSON(m.Body)
	case !errors.Is(err, stream.ErrNotFound):
		return nil, err
	}
	return hidden, nil
}
