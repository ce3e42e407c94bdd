package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"
)

const keyProducts = "products"

// serviceLink matches what Kubernetes puts into every container for each
// Service of the namespace: one that is called headrace-console would otherwise
// keep every pod from starting.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// checkVariables refuses a misspelled variable: its setting must not silently
// be the default. What merely begins like ours is somebody else's, and noted.
func (l *loader) checkVariables() {
	known := []string{envConfig, envAPIKeyFile}
	for _, s := range settings() {
		known = append(known, s.variable)
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if slices.Contains(known, name) || serviceLink.MatchString(name) {
			continue
		}
		if near, ok := Nearest(name, known); ok {
			l.fault(name, "is not a setting; did you mean %s?", near)
			continue
		}
		l.cfg.Ignored = append(l.cfg.Ignored, name)
	}
}

// checkKeys does the same for the file, notes where each value was written, and
// takes out what is empty and what was refused.
func (l *loader) checkKeys(k *koanf.Koanf, file string) {
	for short, key := range map[string]string{"concurrency": keyConcurrency, "total_concurrency": keyTotal} {
		v := k.Get(short)
		if _, block := v.(map[string]any); v == nil || block {
			continue
		}
		k.Delete(short)
		l.note(short, key, file)
		// Set fails only for a key that is in the way, and it was just deleted.
		_ = k.Set(key, v)
	}
	known := []string{keyAPIKeyFile}
	for _, s := range settings() {
		known = append(known, s.key)
	}
	for _, key := range k.Keys() {
		v := k.Get(key)
		if _, block := v.(map[string]any); v == nil || block {
			k.Delete(key)
		}
		if slices.Contains(known, key) {
			if _, noted := l.cfg.origins[key]; v != nil && !noted {
				l.note(key, key, file)
			}
			continue
		}
		k.Delete(key)
		if problem := unknownKey(key, v, known); problem != "" {
			l.fault(Origin{Source: SourceFile, Name: key, File: file}.String(), "%s", problem)
		}
	}
	if k.Exists(keyAPIKey) && k.Exists(keyAPIKeyFile) {
		l.fault(l.cfg.Name(keyAPIKeyFile), "is set together with %s; keep one of them", keyAPIKey)
	}
}

func (l *loader) note(written, key, file string) {
	l.cfg.origins[key] = Origin{Source: SourceFile, Name: written, File: file}
}

// unknownKey says what is wrong with a key that is none, or nothing for an
// empty block.
func unknownKey(key string, v any, known []string) string {
	if strings.HasPrefix(key, keyProducts+".") {
		return "is not a list; put a dash before each product"
	}
	var below []string
	for _, k := range known {
		if strings.HasPrefix(k, key+".") {
			below = append(below, strings.TrimPrefix(k, key+"."))
		}
	}
	switch block, isBlock := v.(map[string]any); {
	case len(below) > 0 && (v == nil || isBlock && len(block) == 0):
		return ""
	case len(below) > 0:
		return fmt.Sprintf("is a block, not a value; put %s below it", orList(below))
	}
	if i := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(key, k+".") }); i >= 0 {
		return fmt.Sprintf("is not a setting; %s takes one value, not a block", known[i])
	}
	return "is not a setting; " + didYouMean(key, known, "remove it")
}

func didYouMean(word string, among []string, otherwise string) string {
	if near, ok := Nearest(word, among); ok {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return otherwise + ", or see the list with headrace help settings"
}

// Nearest is the word of a list that was probably meant by another: the one
// with the fewest letters changed, if those are at most a third of it. What all
// our variables begin with counts for nothing.
func Nearest(word string, among []string) (string, bool) {
	best, least := "", len(strings.TrimPrefix(word, envPrefix))/3+1
	for _, one := range among {
		if d := distance(strings.ToLower(word), strings.ToLower(one)); d < least {
			best, least = one, d
		}
	}
	return best, best != ""
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour between a and b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d := min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
