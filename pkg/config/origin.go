package config

import (
	"path/filepath"
	"strings"
)

// Source says where a value comes from.
type Source string

// The sources, the strongest last.
const (
	SourceDefault Source = "default"
	SourceFile    Source = "file"
	SourceEnv     Source = "env"
)

// Origin is where one value comes from: a variable's name, or a key and the
// file it was read from.
type Origin struct {
	Source Source
	Name   string // the variable or the key; empty for a default
	File   string // the file's path, for SourceFile
}

// String is the name that the user wrote.
func (o Origin) String() string {
	switch o.Source {
	case SourceFile:
		return filepath.Base(o.File) + ": " + o.Name
	case SourceEnv:
		return o.Name
	default:
		return string(SourceDefault)
	}
}

// Setting is one value as it is in force, for people to read.
type Setting struct {
	Key      string `json:"key"`      // in the file, with dots: connect.endpoint
	Variable string `json:"variable"` // in the environment
	Value    string `json:"value"`    // as text, secrets redacted
	Source   Source `json:"source"`
	Origin   string `json:"origin"`
	Help     string `json:"-"`
}

// Settings lists every setting in the order of the documentation, redacted.
func (c *Config) Settings() []Setting {
	var out []Setting
	for _, s := range settings() {
		o := c.Origin(s.key)
		out = append(out, Setting{
			Key: s.key, Variable: s.variable, Value: s.value(c).String(),
			Source: o.Source, Origin: o.String(), Help: s.help,
		})
	}
	return out
}

// Origin tells where the value of a key comes from.
func (c *Config) Origin(key string) Origin {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return Origin{Source: SourceDefault}
}

// Name is what to call the setting in a message: as the user wrote it, or the
// variable where they wrote nothing.
func (c *Config) Name(key string) string {
	if o, ok := c.origins[key]; ok {
		return o.String()
	}
	for _, s := range settings() {
		if s.key == key {
			return s.variable
		}
	}
	return key
}

// Redacted is the whole configuration as text, a key a line, without secrets.
func (c *Config) Redacted() string {
	var b strings.Builder
	for _, s := range c.Settings() {
		b.WriteString(s.Key + ": " + s.Value + " (" + s.Origin + ")\n")
	}
	return b.String()
}
