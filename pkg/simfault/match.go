package simfault

import (
	"net/http"
	"strings"
)

// matches reports whether the fault is about calls such as r.
func (f *Fault) matches(r *http.Request) bool {
	if f.Method != "" && f.Method != "*" && !strings.EqualFold(f.Method, r.Method) {
		return false
	}
	return matchPath(f.Path, r.URL.Path)
}

// matchPath applies the three forms of a fault's path: prefix, exact with a closing "$", glob.
func matchPath(pattern, path string) bool {
	if strings.ContainsAny(pattern, "*?") {
		return glob(strings.TrimSuffix(pattern, "$"), path)
	}
	if exact, ok := strings.CutSuffix(pattern, "$"); ok {
		return path == exact
	}
	return strings.HasPrefix(path, pattern)
}

// glob matches the whole of s. It goes back on each star, which is harmless at the length of paths.
func glob(pattern, s string) bool {
	for pattern != "" {
		switch {
		case strings.HasPrefix(pattern, "**"):
			return globRest(strings.TrimLeft(pattern, "*"), s, "")
		case pattern[0] == '*':
			return globRest(pattern[1:], s, "/")
		case s == "" || pattern[0] != '?' && pattern[0] != s[0]:
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

// globRest tries the rest of a pattern behind a star at each place that the star can reach without one of stop.
func globRest(pattern, s, stop string) bool {
	for i := 0; ; i++ {
		if glob(pattern, s[i:]) {
			return true
		}
		if i == len(s) || strings.ContainsRune(stop, rune(s[i])) {
			return false
		}
	}
}
