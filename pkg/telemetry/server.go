package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Off as an address serves nothing.
const Off = "off"

// Handler serves /livez, /readyz and /metrics. Further pages, such as the
// console, are registered on the mux that it returns.
func Handler(m *Metrics, h *Health) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET /readyz", h)
	mux.Handle("GET /metrics", m.Handler())
	return mux
}

// Server is an HTTP server that listens.
type Server struct {
	// Addr is host:port with the real port; empty when the server is off.
	Addr string

	server *http.Server
	served chan struct{}
}

// Listen opens addr, host:port, and serves h until Close. Port 0 and the empty
// address take a free port on the loopback interface, Off none at all. An
// address that cannot be had is an error that names HEADRACE_HTTP_ADDR.
func Listen(ctx context.Context, addr string, h http.Handler) (*Server, error) {
	s := &Server{served: make(chan struct{})}
	if addr == Off {
		close(s.served)
		return s, nil
	}
	if addr == "" || addr == ":0" {
		addr = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w; another process has that port: stop it, "+
			"or set HEADRACE_HTTP_ADDR to another address, or to off", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; set HEADRACE_HTTP_ADDR to an address of this machine, or to off", addr, err)
	}
	s.Addr = l.Addr().String()
	s.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() {
		defer close(s.served)
		// It ends with ErrServerClosed, by Close and by nothing else.
		_ = s.server.Serve(l)
	}()
	return s, nil
}

// Close ends the answers in progress within the context's time, and the server
// with them. It may be called twice.
func (s *Server) Close(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("close http server: %w", err), s.server.Close())
	}
	<-s.served
	return err
}
