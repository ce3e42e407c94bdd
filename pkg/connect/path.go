package connect

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// location is where a call goes: a path below the base URL, its template, and
// the encoded query.
type location struct{ path, route, query string }

// at fills the ids into the {placeholders} of route, in order. It fails with
// ErrID for an id that would lead elsewhere.
func at(route string, ids ...string) (location, error) {
	path := route
	for _, id := range ids {
		if id == "" || id == "." || id == ".." {
			return location{}, fmt.Errorf("%s: %q: %w", route, id, ErrID)
		}
		from, to := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		path = path[:from] + url.PathEscape(id) + path[to+1:]
	}
	return location{path: path, route: route}, nil
}

type locationKey struct{}

// withLocation lets the transport tell the observer which endpoint it called.
func withLocation(ctx context.Context, to location) context.Context {
	return context.WithValue(ctx, locationKey{}, to)
}

func locationOf(ctx context.Context) location {
	to, _ := ctx.Value(locationKey{}).(location)
	return to
}
