package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
)

// probe tells at once whether an embedded broker takes our user and password.
// Over the unbuffered pipe of an in-process connection nats.go and the server
// write to each other when it does not, and only the server's write deadline
// of 10 s parts them, with an error that says nothing of credentials. Here we
// read while we write.
func probe(ctx context.Context, o Options) error {
	conn, err := o.InProcess.InProcessConn()
	if err != nil {
		return errors.Join(ErrUnreachable, err)
	}
	defer func() { _ = conn.Close() }()
	if d, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(d); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	r := bufio.NewReader(conn)
	if _, err := r.ReadString('\n'); err != nil { // INFO
		return errors.Join(ErrUnreachable, err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sayHello(conn, o)
	}()
	defer func() { _ = conn.Close(); <-sent }()
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return errors.Join(ErrUnreachable, err)
		case strings.HasPrefix(line, "PONG"):
			return nil
		case strings.HasPrefix(line, "-ERR"):
			return classify(errors.New(strings.TrimSpace(line)))
		}
	}
}

// sayHello logs in as nats.go would and asks for a PONG. The reader sees what
// comes of it, so an error of writing tells nothing more.
func sayHello(conn net.Conn, o Options) {
	login, err := json.Marshal(map[string]any{
		"verbose": false, "pedantic": false, "lang": "go", "version": "0", "protocol": 1,
		"name": o.Name, "user": o.User, "pass": o.Password,
	})
	if err == nil {
		_, _ = fmt.Fprintf(conn, "CONNECT %s\r\nPING\r\n", login)
	}
}
