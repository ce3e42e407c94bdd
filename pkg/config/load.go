package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	documents "go.yaml.in/yaml/v3"
)

const (
	keyAPIKey      = "connect.api_key"
	keyAPIKeyFile  = "connect.api_key_file"
	keyVendor      = "vendor.endpoint"
	keyNATS        = "nats.url"
	keyDataDir     = "data_dir"
	keyConcurrency = "concurrency.default"
	keyTotal       = "total_concurrency.default"

	envAPIKeyFile = "HEADRACE_CONNECT_API_KEY_FILE"
	envConfig     = "HEADRACE_CONFIG"
	envPrefix     = "HEADRACE_"
	defaultFile   = "headrace.yaml"

	minPoll        = 10 * time.Millisecond
	minAge         = time.Hour
	maxConcurrency = 10000
	maxTotal       = 10000 // each is a message in the broker
	maxFile        = 1 << 20
)

// Sources is where settings are read from.
type Sources struct {
	// File is --config. Empty is HEADRACE_CONFIG, else headrace.yaml in WorkDir
	// if it is there.
	File string
	// Environ is the environment as os.Environ gives it. A variable with an
	// empty value counts as unset.
	Environ []string
	// WorkDir is what relative names of files start from; empty is the
	// process's own.
	WorkDir string
}

// Fault is one thing wrong with one setting.
type Fault struct {
	Setting string // as the user wrote it
	Problem string // what is wrong; what to do
}

// Error is one line.
func (f *Fault) Error() string { return f.Setting + ": " + f.Problem }

// Load reads the settings. Its error joins every *Fault found; the Config is
// then what could be read, for doctor to show, and not fit to be run with. What
// a command needs beyond that, Check tells.
func Load(src Sources) (*Config, error) {
	l := loader{src: src, env: environ(src.Environ), cfg: Default(), merged: koanf.New(".")}
	l.file()
	l.environment()
	l.apply()
	l.apiKeyFile()
	l.faults = append(l.faults, l.cfg.consistent()...)
	return l.cfg, errors.Join(l.faults...)
}

type loader struct {
	src    Sources
	env    map[string]string
	cfg    *Config
	merged *koanf.Koanf
	faults []error
}

func (l *loader) fault(setting, format string, args ...any) {
	l.faults = append(l.faults, &Fault{setting, fmt.Sprintf(format, args...)})
}

// file lays the YAML file at the bottom.
func (l *loader) file() {
	name, asked := l.fileName()
	if name == "" {
		return
	}
	data, err := readFile(name)
	if errors.Is(err, os.ErrNotExist) && asked == "" {
		return
	}
	if err != nil {
		l.fault(orElse(asked, defaultFile), "%v; name a file that can be read", err)
		return
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(data), yaml.Parser()); err != nil {
		l.fault(filepath.Base(name), "is not YAML (%s); mend that line", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	l.oneDocument(data, name)
	l.profiles(k, name)
	l.checkKeys(k, name)
	if err := l.merged.Merge(k); err != nil {
		l.fault(filepath.Base(name), "%v", err)
	}
}

// oneDocument refuses a file of several documents, of which only the first would
// be read.
func (l *loader) oneDocument(data []byte, name string) {
	d := documents.NewDecoder(bytes.NewReader(data))
	for n := 0; ; n++ {
		var doc documents.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return
		case err != nil || n > 0:
			l.fault(filepath.Base(name), "has more than one YAML document; keep one, and remove the line --- before the next")
			return
		}
	}
}

// profiles notes that the products are profiles, and leaves their ids as the
// products to process. What else is in them, and wrong, package profile tells.
// A key without products is refused: all products would be carried out without
// the profiles that were meant for them.
func (l *loader) profiles(k *koanf.Koanf, name string) {
	said, given := k.Raw()[keyProducts]
	if given && isNothing(said) {
		l.fault(filepath.Base(name)+": "+keyProducts, "is empty; list products below it, or remove it")
		return
	}
	list, _ := said.([]any)
	var ids []any
	for _, one := range list {
		block, isProfile := one.(map[string]any)
		if !isProfile {
			return
		}
		if id, given := block["id"].(string); given {
			ids = append(ids, id)
		}
	}
	if len(list) == 0 {
		return
	}
	l.cfg.Profiles = name
	// It fails only for a key that is in the way, and there is a list now.
	_ = k.Set(keyProducts, ids)
}

func isNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.Trim(v, ", \t\r\n") == ""
	case []any:
		return len(v) == 0 || slices.ContainsFunc(v, isNothing)
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// fileName is the file to read and who asked for it: empty for nobody.
func (l *loader) fileName() (name, asked string) {
	switch {
	case l.src.File != "":
		name, asked = l.src.File, "--config"
	case l.env[envConfig] != "":
		name, asked = l.env[envConfig], envConfig
	default:
		name = defaultFile
	}
	return l.path(name), asked
}

func (l *loader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.src.WorkDir, name)
}

// environment lays the variables on top.
func (l *loader) environment() {
	l.checkVariables()
	set := func(key, variable string) {
		v, ok := l.env[variable]
		if !ok {
			return
		}
		// A key and a key file exclude each other; the stronger source wins.
		switch key {
		case keyAPIKey:
			l.drop(keyAPIKeyFile)
		case keyAPIKeyFile:
			l.drop(keyAPIKey)
		}
		if err := l.merged.Set(key, v); err != nil {
			l.fault(variable, "%v", err)
		}
		l.cfg.origins[key] = Origin{Source: SourceEnv, Name: variable}
	}
	if l.env["HEADRACE_CONNECT_API_KEY"] != "" && l.env[envAPIKeyFile] != "" {
		l.fault(envAPIKeyFile, "is set together with HEADRACE_CONNECT_API_KEY; keep one of them")
	}
	set(keyAPIKeyFile, envAPIKeyFile)
	for _, s := range settings() {
		set(s.key, s.variable)
	}
}

func (l *loader) drop(key string) {
	l.merged.Delete(key)
	delete(l.cfg.origins, key)
}

// apply gives every value that was found to its field.
func (l *loader) apply() {
	for _, s := range settings() {
		if !l.merged.Exists(s.key) {
			continue
		}
		text, err := scalar(l.merged.Get(s.key), s.key == keyProducts)
		if err == nil {
			err = s.value(l.cfg).Set(strings.TrimSpace(text))
		}
		if err != nil {
			l.fault(l.cfg.Name(s.key), "%v", err)
			l.cfg.faulty[s.key] = true
		}
	}
}

// apiKeyFile reads the key from the file that is named for it. Its fault waits
// for Check: where a command needs no Connect, the file need not be mounted.
func (l *loader) apiKeyFile() {
	if !l.merged.Exists(keyAPIKeyFile) {
		return
	}
	name := l.cfg.Name(keyAPIKeyFile)
	text, err := scalar(l.merged.Get(keyAPIKeyFile), false)
	if err != nil {
		l.fault(name, "%v", err)
		return
	}
	data, err := readFile(l.path(text))
	if err != nil {
		l.cfg.keyFault = &Fault{name, fmt.Sprintf("%v; name a file that holds the key and can be read", err)}
		return
	}
	if err := (secretValue{&l.cfg.Connect.APIKey}).Set(string(data)); err != nil {
		l.cfg.keyFault = &Fault{name, fmt.Sprintf("what is in %s %v", text, err)}
		return
	}
	l.cfg.origins[keyAPIKey] = l.cfg.origins[keyAPIKeyFile]
}

// scalar is a YAML value as the text that a variable would hold.
func scalar(v any, list bool) (string, error) {
	switch v := v.(type) {
	case []any:
		if !list {
			return "", errors.New("is a list; give one value")
		}
		words := make([]string, len(v))
		for i, one := range v {
			switch one.(type) {
			case map[string]any, []any:
				return "", errors.New("holds blocks among single values; list ids alone, or profiles alone")
			}
			words[i] = fmt.Sprint(one)
		}
		return strings.Join(words, ","), nil
	case map[string]any:
		return "", errors.New("is a block; give one value")
	}
	return fmt.Sprint(v), nil
}

func environ(list []string) map[string]string {
	env := map[string]string{}
	for _, one := range list {
		name, v, _ := strings.Cut(one, "=")
		if strings.HasPrefix(name, envPrefix) && strings.TrimSpace(v) != "" {
			env[name] = v
		}
	}
	return env
}

// readFile reads a small file: neither a device nor a dump is a configuration.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	// Nothing was written, so closing loses nothing.
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("read %s: more than %d bytes", name, maxFile)
	}
	return data, err
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
