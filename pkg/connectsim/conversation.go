package connectsim

import (
	"fmt"
	"net/http"
	"strings"
)

// addConversation begins the one conversation that belongs to an object.
func (s *Server) addConversation(instance, topic, now string) {
	id := conversationID(instance)
	s.conversations.put(object{
		"id": id, "instance_id": instance, "topic": topic, "type": "conversation", "status": "open",
		"accounts": []any{provider(), owner()}, "creator": object{"id": "UR-000-000-000", "name": "System"},
		"created": now, "events": object{"created": object{"at": now}},
	})
}

// conversationID is made of the instance's digits, so that either id leads to
// the conversation.
func conversationID(instance string) string {
	_, number, _ := strings.Cut(instance, "-")
	return "CO-" + number
}

func (s *Server) routeConversations(mux *http.ServeMux) {
	mux.HandleFunc("GET /conversations", s.read(func(c *call) (answer, error) { return s.list(c, s.conversations) }))
	mux.HandleFunc("GET /conversations/{id}", s.read(s.getConversation))
	mux.HandleFunc("POST /conversations/{id}/close", s.write(func(c *call) (answer, error) {
		r, err := s.conversation(c.id)
		if err != nil {
			return answer{}, err
		}
		body := clone(r.body)
		body["status"] = "closed"
		return answer{record: s.conversations.put(body)}, nil
	}))
	mux.HandleFunc("GET /conversations/{id}/messages", s.read(func(c *call) (answer, error) {
		r, err := s.conversation(c.id)
		if err != nil {
			return answer{}, err
		}
		if of := s.part(r.id, "messages"); of != nil {
			return s.list(c, of)
		}
		return s.list(c, newCollection())
	}))
	mux.HandleFunc("POST /conversations/{id}/messages", s.write(s.addMessage))
}

// conversation finds one by its id or by the id of what it is about.
func (s *Server) conversation(id string) (*record, error) {
	if r := s.conversations.byID[id]; r != nil {
		return r, nil
	}
	if r := s.conversations.byID[conversationID(id)]; r != nil && r.body["instance_id"] == id {
		return r, nil
	}
	return nil, errNotFound
}

// getConversation adds the messages, which lists leave out.
func (s *Server) getConversation(c *call) (answer, error) {
	r, err := s.conversation(c.id)
	if err != nil {
		return answer{}, err
	}
	body, messages := clone(r.body), []any{}
	if of := s.part(r.id, "messages"); of != nil {
		for _, m := range of.rows {
			messages = append(messages, m.body)
		}
	}
	body["messages"] = messages
	return answer{value: body}, nil
}

func (s *Server) addMessage(c *call) (answer, error) {
	r, err := s.conversation(c.id)
	if err != nil {
		return answer{}, err
	}
	if text(c.body, "text") == "" {
		return answer{}, invalid("text", "This field is required.")
	}
	key := r.id + "/messages"
	if s.owned[key] == nil {
		s.owned[key] = newCollection()
	}
	now := s.now()
	return answer{status: http.StatusCreated, record: s.owned[key].put(object{
		"id":           fmt.Sprintf("ME-%s-%03d", strings.TrimPrefix(r.id, "CO-"), len(s.owned[key].rows)+1),
		"conversation": r.id, "created": now, "text": c.body["text"], "type": or(text(c.body, "type"), "message"),
		"account": owner(), "creator": object{"id": "SU-118-402-773", "name": "processor"},
		"events": object{"created": object{"at": now}},
	})}, nil
}
