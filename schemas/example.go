package schemas

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Example is a message as it could be on the wire: documentation, fixture and
// golden data at once.
type Example struct {
	Case string // what it shows, e.g. approved
	Body []byte
	// Header holds the message's headers where the example has them, else nil:
	// the CloudEvents attributes, and the one of watermill-nats' wire format.
	Header map[string]string
}

const (
	folder       = "examples/"
	headerSuffix = ".headers.json"
)

// Examples returns the examples of the schema with this file name, sorted by
// Case. It fails with ErrNoSchema.
func Examples(name string) ([]Example, error) {
	if _, err := Get(name); err != nil {
		return nil, err
	}
	stem := folder + strings.TrimSuffix(name, ".json") + "."
	paths, err := fs.Glob(files, stem+"*.json")
	if err != nil {
		return nil, fmt.Errorf("list examples of %s: %w", name, err)
	}
	var out []Example
	for _, p := range paths {
		if strings.HasSuffix(p, headerSuffix) {
			continue
		}
		e, err := read(p)
		if err != nil {
			return nil, err
		}
		e.Case = strings.TrimSuffix(strings.TrimPrefix(p, stem), ".json")
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Example) int { return strings.Compare(a.Case, b.Case) })
	return out, nil
}

func read(p string) (Example, error) {
	body, err := files.ReadFile(p)
	if err != nil {
		return Example{}, fmt.Errorf("read example %s: %w", path.Base(p), err)
	}
	e := Example{Body: body}
	header, err := files.ReadFile(strings.TrimSuffix(p, ".json") + headerSuffix)
	if err != nil {
		return e, nil // most have none
	}
	if err := json.Unmarshal(header, &e.Header); err != nil {
		return Example{}, fmt.Errorf("read headers of example %s: %w", path.Base(p), err)
	}
	return e, nil
}
