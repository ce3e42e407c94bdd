package main

import (
	"errors"
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/headrace/headrace/"

// arrows is the architecture: each package with those of ours that it may
// import. A new package needs a line here, unless it holds nothing but tests, which
// may import more.
func arrows() map[string]string {
	decider := "pkg/fulfillment pkg/processor pkg/vendorapi" // a type's service knows neither Connect nor the streams
	return map[string]string{
		// What we speak of, and what needs nothing of ours.
		"pkg/broker": "pkg/fulfillment", "pkg/config": "", "pkg/failpoint": "", "pkg/fastjson": "", "pkg/fulfillment": "", "pkg/guard": "", "pkg/memory": "", "pkg/redact": "", "pkg/simfault": "", "pkg/telemetry": "",
		"schemas": "pkg/fulfillment", "schemas/breaking": "", "schemas/gen": "pkg/fulfillment pkg/stream schemas",
		// How others read our events.
		"pkg/events": "pkg/fulfillment",
		// How an upstream stands, and how all processes know.
		"pkg/upstream":       "pkg/fulfillment pkg/guard",
		"pkg/upstream/board": "pkg/fulfillment pkg/stream pkg/upstream",
		"pkg/slots":          "pkg/fulfillment pkg/stream",
		// The three others that we talk to, each known to one package.
		"pkg/connect":            "pkg/fastjson pkg/guard pkg/upstream",
		"pkg/stream":             "pkg/failpoint pkg/fulfillment pkg/guard",
		"pkg/stream/stockreader": "",
		"pkg/stream/streamtest":  "",
		"pkg/stream/traps":       "",
		"pkg/vendorapi":          "pkg/failpoint pkg/connect pkg/guard pkg/upstream",
		// What the services share.
		"pkg/facts":        "pkg/connect pkg/failpoint pkg/episode pkg/fulfillment pkg/redact pkg/stream",
		"pkg/deadletter":   "pkg/facts pkg/failpoint pkg/episode pkg/fulfillment pkg/redact pkg/stream",
		"pkg/episode":      "pkg/failpoint pkg/fulfillment pkg/stream",
		"pkg/ledger":       "pkg/episode pkg/fulfillment pkg/redact pkg/stream",
		"pkg/processor":    "pkg/failpoint pkg/connect pkg/deadletter pkg/episode pkg/fulfillment pkg/guard pkg/redact pkg/stream pkg/upstream pkg/vendorapi",
		"pkg/replay":       "pkg/episode pkg/fulfillment pkg/stream",
		"pkg/profile":      "pkg/config pkg/connect pkg/fulfillment pkg/guard pkg/processor pkg/upstream pkg/vendorapi",
		"pkg/pipelinetest": "pkg/fulfillment pkg/stream pkg/stream/streamtest",
		"pkg/nodetest":     "",
		// The simulators, which know nothing of those whom they serve.
		"pkg/connectsim":     "pkg/connectsim/rql pkg/simfault",
		"pkg/connectsim/rql": "",
		"pkg/vendorsim":      "pkg/simfault",
		// The services, none of which knows another.
		"services/fetcher":    "pkg/facts pkg/failpoint pkg/connect pkg/deadletter pkg/episode pkg/fulfillment pkg/stream pkg/upstream",
		"services/purchase":   decider + " pkg/failpoint",
		"services/change":     decider,
		"services/cancel":     decider,
		"services/suspend":    decider,
		"services/resume":     decider,
		"services/adjustment": decider,
		"services/renew":      decider,
		"services/transfer":   decider,
		"services/tierconfig": decider,
		"services/committer":  "pkg/facts pkg/failpoint pkg/fastjson pkg/connect pkg/deadletter pkg/episode pkg/fulfillment pkg/guard pkg/redact pkg/stream pkg/upstream",
		// Where it is all put together, and what a vendor's own program begins with.
		"pkg/headrace":      "pkg/fulfillment pkg/processor services/headrace/app services/headrace/cli",
		"services/headrace": "pkg/headrace",
		"services/headrace/app": "pkg/broker pkg/config pkg/connect pkg/deadletter pkg/facts pkg/fulfillment pkg/guard pkg/processor pkg/profile pkg/slots pkg/stream pkg/telemetry pkg/upstream pkg/upstream/board pkg/vendorapi " +
			"services/adjustment services/cancel services/change services/committer services/fetcher services/purchase services/renew " +
			"services/resume services/suspend services/tierconfig services/transfer",
		"services/headrace/cli": "pkg/broker pkg/config pkg/connect pkg/connectsim pkg/deadletter pkg/fulfillment pkg/ledger pkg/memory pkg/processor pkg/profile pkg/replay pkg/stream pkg/telemetry pkg/vendorsim " +
			"services/committer services/headrace/app services/headrace/demo",
		"services/headrace/demo": "pkg/broker pkg/config pkg/connectsim pkg/simfault pkg/telemetry pkg/vendorsim services/headrace/app",
	}
}

// homes tells where alone a module may be imported, by code and by tests.
func homes() map[string][2]string {
	return map[string][2]string{
		"github.com/nats-io/nats.go":         {"pkg/stream", "pkg/stream pkg/broker services/headrace/bench"},
		"github.com/nats-io/nats-server":     {"pkg/broker pkg/stream/streamtest", "pkg/stream pkg/broker services/headrace/bench"},
		"github.com/ThreeDotsLabs/watermill": {"pkg/stream", "pkg/stream services/headrace/bench"}, // and -nats
		"github.com/go-json-experiment/json": {"pkg/fastjson", "pkg/fastjson"},
	}
}

// faults tells what a package imports and should not.
func faults(name string, p *build.Package) []string {
	var found []string
	allowed, known := arrows()[name]
	if !known && len(p.GoFiles) > 0 {
		found = append(found, name+" is not in the table of arrows")
	}
	for _, i := range p.Imports {
		to, ours := strings.CutPrefix(i, module)
		switch {
		case ours && strings.HasSuffix(to, "test") && !strings.HasSuffix(name, "test"):
			found = append(found, name+" imports "+to+", which is for tests")
		case ours && !slices.Contains(strings.Fields(allowed), to):
			found = append(found, name+" imports "+to)
		}
	}
	for m, home := range homes() {
		for n, imports := range [][]string{p.Imports, append(p.TestImports, p.XTestImports...)} {
			in := func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
			of := func(i string) bool { return strings.HasPrefix(i, m) }
			if slices.ContainsFunc(imports, of) && !slices.ContainsFunc(strings.Fields(home[n]), in) {
				found = append(found, name+" imports "+m+", which belongs to "+home[n])
			}
		}
	}
	return found
}

// TestImports_OfEveryPackage_FollowTheArrows reads the sources itself: of what
// go list reads for it, go test would not know that it has changed.
func TestImports_OfEveryPackage_FollowTheArrows(t *testing.T) {
	t.Parallel()
	with := build.Default
	with.BuildTags = []string{"traps"}
	missing := arrows()
	for _, top := range []string{"pkg", "services", "schemas"} {
		err := filepath.WalkDir(filepath.Join("..", "..", top), func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "node_modules" || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			p, err := with.ImportDir(dir, 0)
			if noGo := (*build.NoGoError)(nil); errors.As(err, &noGo) {
				return nil
			}
			name := strings.TrimPrefix(filepath.ToSlash(dir), "../../")
			for _, f := range faults(name, p) {
				t.Error(f)
			}
			delete(missing, name)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	for name := range missing {
		t.Errorf("%s is in the table of arrows, but gone", name)
	}
}

func TestImports_WrongOnes_AreTold(t *testing.T) {
	t.Parallel()
	for _, wrong := range []struct {
		name string
		p    build.Package
	}{
		{"pkg/novel", build.Package{GoFiles: []string{"novel.go"}}},
		{"services/purchase", build.Package{Imports: []string{module + "services/change"}}},
		{"services/cancel", build.Package{Imports: []string{module + "pkg/connect"}}},
		{"pkg/episode", build.Package{Imports: []string{"github.com/nats-io/nats.go/jetstream"}}},
		{"pkg/broker", build.Package{XTestImports: []string{"github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"}}},
		{"pkg/stream", build.Package{Imports: []string{"github.com/nats-io/nats-server/v2/server"}}},
		{"pkg/broker", build.Package{Imports: []string{module + "pkg/stream/streamtest"}}},
	} {
		if got := faults(wrong.name, &wrong.p); len(got) != 1 {
			t.Errorf("%s with %v%v: %d faults told, want 1: %v", wrong.name, wrong.p.Imports, wrong.p.XTestImports, len(got), got)
		}
	}
}
