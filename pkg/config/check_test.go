package config_test

import (
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/config"
)

func TestCheck_Needs_TellWhatIsMissing(t *testing.T) {
	t.Parallel()
	const (
		noKey    = "HEADRACE_CONNECT_API_KEY: is not set; set it to the Connect API key, ApiKey SU-…:… (connect.api_key in headrace.yaml)"
		noVendor = "HEADRACE_VENDOR_ENDPOINT: is not set; set it to the base URL of the vendor API (vendor.endpoint in headrace.yaml)"
		noBroker = "HEADRACE_NATS_URL: is not set; set it to the broker, like nats://host:4222; only up brings its own (nats.url in headrace.yaml)"
	)
	tests := []struct {
		name string
		need config.Need
		env  string
		want []string
	}{
		{"nothing", config.Need{}, "", nil},
		{"up", config.Need{Connect: true, Vendor: true, Broker: true}, "", []string{noKey, noVendor}},
		{"run", config.Need{Connect: true, Vendor: true, RemoteBroker: true}, "", []string{noKey, noVendor, noBroker}},
		{"dead list", config.Need{Broker: true}, "", nil},
		{"all there", config.Need{Connect: true, Vendor: true, RemoteBroker: true},
			"HEADRACE_CONNECT_API_KEY=SU-1:a HEADRACE_VENDOR_ENDPOINT=http://v HEADRACE_NATS_URL=n:4222", nil},
		{"key file missing, not needed", config.Need{Broker: true}, "HEADRACE_CONNECT_API_KEY_FILE=/nowhere/key", nil},
		{"key file missing", config.Need{Connect: true}, "HEADRACE_CONNECT_API_KEY_FILE=/nowhere/key", []string{
			"HEADRACE_CONNECT_API_KEY_FILE: open /nowhere/key: no such file or directory; name a file that holds the key and can be read"}},
		{"key file is none", config.Need{Connect: true}, "HEADRACE_CONNECT_API_KEY_FILE=/dev/null", []string{
			"HEADRACE_CONNECT_API_KEY_FILE: what is in /dev/null is not a Connect API key; a key looks like ApiKey SU-000-000-000:abcdef, copy it from Connect under Integrations, Tokens"}},
		{"CA missing", config.Need{Broker: true}, "HEADRACE_NATS_CA=/nowhere/ca HEADRACE_NATS_URL=n:4222", []string{
			"HEADRACE_NATS_CA: stat /nowhere/ca: no such file or directory; name a file that is there"}},
		{"CA without a broker", config.Need{Broker: true}, "HEADRACE_NATS_CA=/nowhere/ca", []string{
			"HEADRACE_NATS_CA: is for a broker elsewhere, and none is named; set HEADRACE_NATS_URL, or unset this"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(sources(t, "", strings.Fields(tt.env)...))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := c.Check(tt.need); err != nil {
				got = err.Error()
			}
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}
