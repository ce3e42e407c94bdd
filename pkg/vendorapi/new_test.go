package vendorapi_test

import (
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/vendorapi"
)

func TestNew_BadEndpoints_AreRefused(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "vendor.example", "ftp://vendor.example", "https://", "http://v/?a=b", "http://u:secret@v:x/", "http://u:secret@v/?q"} {
		_, err := vendorapi.New(endpoint)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
