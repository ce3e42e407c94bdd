package connect

import (
	"context"
	"net/http"
	"strings"
)

// MaxMessageText is how long a message Connect takes, in characters.
const MaxMessageText = 540

// The types of a message.
const (
	MessagePublic  = "message"
	MessagePrivate = "private" // seen by the author's own account only
)

// ConversationsService reads and writes the messages beside a request.
type ConversationsService struct{ client *Client }

// Conversation belongs to one object.
type Conversation struct {
	ID         string `json:"id"`          // CO-…
	InstanceID string `json:"instance_id"` // PR-…
	Topic      string `json:"topic"`
	Status     string `json:"status"`
	Created    Time   `json:"created"`
}

// Message is one message of a conversation.
type Message struct {
	ID      string `json:"id,omitempty"` // ME-…
	Text    string `json:"text"`
	Type    string `json:"type,omitempty"` // MessagePublic, …
	Created Time   `json:"created,omitzero"`
	Creator User   `json:"creator,omitzero"`
}

// ForRequest returns the request's conversation, or nil: Connect opens it, at
// times later than the request, and vendors can't.
func (s *ConversationsService) ForRequest(ctx context.Context, requestID string) (*Conversation, error) {
	if requestID == "" {
		return nil, ErrID
	}
	to, err := at("/conversations")
	if err != nil {
		return nil, err
	}
	to, err = to.with(Eq("instance_id", requestID), "", 1, 0)
	if err != nil {
		return nil, err
	}
	var body []byte
	if _, err := s.client.call(ctx, http.MethodGet, to, nil, &body); err != nil {
		return nil, err
	}
	found, err := decodeList[Conversation](to, body)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Messages returns the messages of a conversation.
func (s *ConversationsService) Messages(ctx context.Context, conversationID string) ([]Message, error) {
	to, err := at("/conversations/{id}/messages", conversationID)
	if err != nil {
		return nil, err
	}
	return listAll[Message](ctx, s.client, to, Filter{})
}

// PostMessage adds a message, cut to 540 characters. typ is MessagePublic
// where it is "". It is sent once: repeated, it might be there twice.
func (s *ConversationsService) PostMessage(ctx context.Context, conversationID, text, typ string) error {
	to, err := at("/conversations/{id}/messages", conversationID)
	if err != nil {
		return err
	}
	if typ == "" {
		typ = MessagePublic
	}
	_, err = s.client.call(ctx, http.MethodPost, to, Message{Text: cut(text, MaxMessageText), Type: typ}, nil)
	return err
}

// PostOnce is PostMessage, unless the very text, cut alike, is in the
// conversation already; posted says which. It may be repeated after any error.
// Two callers at once may both find nothing: whoever needs one message alone
// calls it from one place.
func (s *ConversationsService) PostOnce(ctx context.Context, conversationID, text, typ string) (posted bool, err error) {
	text = cut(text, MaxMessageText)
	there, err := s.Messages(ctx, conversationID)
	if err != nil {
		return false, err
	}
	for _, m := range there {
		if strings.TrimSpace(m.Text) == strings.TrimSpace(text) {
			return false, nil
		}
	}
	return true, s.PostMessage(ctx, conversationID, text, typ)
}
