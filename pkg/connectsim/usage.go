package connectsim

import "net/http"

// routeUsage lists usage files, of which there are none: reporting usage is
// not simulated yet, only looking for it.
func (s *Server) routeUsage(mux *http.ServeMux) {
	s.collectionOf(mux, "/usage/files", func() *collection { return s.usageFiles })
}
