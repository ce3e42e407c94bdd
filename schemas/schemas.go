// Package schemas holds the public contract of the messages: a JSON Schema
// (2020-12) of each kind of body, and examples of each. Both are embedded; the
// package performs no I/O.
package schemas

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/headrace/headrace/pkg/fulfillment"
)

//go:embed *.v*.json examples/*.json
var files embed.FS

// ErrNoSchema is returned for a name that is not one of Names.
var ErrNoSchema = errors.New("no such schema")

// Names lists the file names of the schemas, sorted: the last path segment of
// every ce-dataschema.
func Names() []string {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	return names
}

// Get returns the text of the schema with this file name, e.g. event.v1.json.
// It fails with ErrNoSchema.
func Get(name string) ([]byte, error) {
	if strings.Contains(name, "/") {
		return nil, fmt.Errorf("get schema %q: %w", name, ErrNoSchema)
	}
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("get schema %q: %w", name, ErrNoSchema)
	}
	return text, nil
}

// Compile returns the schema with this file name, ready to validate; formats
// and content encodings are checked too. It reads nothing but what is embedded.
// It fails with ErrNoSchema.
func Compile(name string) (*jsonschema.Schema, error) {
	text, err := Get(name)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("compile schema %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // never a file, never the network
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource(fulfillment.SchemaBase+name, doc); err != nil {
		return nil, fmt.Errorf("compile schema %s: %w", name, err)
	}
	s, err := c.Compile(fulfillment.SchemaBase + name)
	if err != nil {
		return nil, fmt.Errorf("compile schema %s: %w", name, err)
	}
	return s, nil
}

// compiled is every schema, compiled once: they are embedded, so that nothing
// can change them.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	all := make(map[string]*jsonschema.Schema)
	for _, name := range Names() {
		s, err := Compile(name)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
})

// Validate checks the body of a message against the schema with this file name.
// It fails with ErrNoSchema, with the error of encoding/json on what is not
// JSON, and with an InvalidError, one line that names the path and the rule of
// each fault and holds no value of the body. It is safe for concurrent use.
func Validate(name string, body []byte) error {
	all, err := compiled()
	if err != nil {
		return err
	}
	s, found := all[name]
	if !found {
		return fmt.Errorf("validate by %q: %w", name, ErrNoSchema)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("validate by %s: %w", name, err)
	}
	invalid := (*jsonschema.ValidationError)(nil)
	if err := s.Validate(value); errors.As(err, &invalid) {
		return &InvalidError{Schema: name, Faults: faultsOf(invalid)}
	} else if err != nil {
		return fmt.Errorf("validate by %s: %w", name, err)
	}
	return nil
}
