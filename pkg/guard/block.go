package guard

import (
	"crypto/tls"
	"net/http/httptrace"
)

// block makes sure that nothing of a call is written to the connection that it
// has just got. Over HTTP/2 others use the connection, too; there the call's
// context is looked at right before the headers are written. Over HTTP/1 it is
// not, but the connection is this call's alone: once closed, it takes no byte.
func block(info httptrace.GotConnInfo, cancel func()) {
	secure, _ := info.Conn.(*tls.Conn)
	if secure == nil || secure.ConnectionState().NegotiatedProtocol != "h2" {
		_ = info.Conn.Close() // the call fails with it, which is all that matters
	}
	cancel()
}
