package connectsim

import "net/http"

func (s *Server) routes() http.Handler {
	api := http.NewServeMux()
	s.routeRequests(api)
	s.routeAssets(api)
	s.routeProducts(api)
	s.routeTiers(api)
	s.routeCatalogue(api)
	s.routeConversations(api)
	s.routeUsage(api)
	api.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, errNotFound) })

	root := http.NewServeMux()
	root.Handle(BasePath+"/", s.authorize(http.StripPrefix(BasePath, api)))
	s.routeSim(root)
	return trimSlash(root)
}

// collectionOf routes the list of a collection and its single objects.
func (s *Server) collectionOf(mux *http.ServeMux, path string, of func() *collection) {
	mux.HandleFunc("GET "+path, s.read(func(c *call) (answer, error) { return s.list(c, of()) }))
	mux.HandleFunc("GET "+path+"/{id}", s.read(func(c *call) (answer, error) {
		r, err := of().get(c.id)
		return answer{record: r}, err
	}))
}
