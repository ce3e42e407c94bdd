package connectsim_test

import (
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/connectsim"
	"github.com/headrace/headrace/pkg/nodetest"
)

// TestJavaScriptSDK runs CloudBlue's own SDK, unchanged, against the
// simulator. It needs node and npm, and once a package registry; where they
// are missing the test says so and passes.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	sdk, here := nodetest.Open(t, "jssdk")
	if !here {
		return
	}
	p := newPortal(t, connectsim.Options{})
	out := sdk.Run(t, nil, "fidelity.js", p.url+connectsim.BasePath, testKey)
	t.Logf("%s", out)
	if n := strings.Count(string(out), "ok "); n < 9 {
		t.Errorf("fidelity.js took %d steps, want 9", n)
	}
}
