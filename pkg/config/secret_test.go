package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/headrace/headrace/pkg/config"
)

func TestConfig_AnyVerb_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := config.Load(sources(t, "",
		"HEADRACE_CONNECT_API_KEY="+goodKey,
		"HEADRACE_VENDOR_ENDPOINT=https://user:s3cr3t@vendor.example/api",
		"HEADRACE_NATS_URL=nats://s3cr3t@one:4222,nats://u:s3cr3t@two:4222"))
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ key config.Secret }{c.Connect.APIKey}
	for _, v := range []any{c, *c, c.Connect, c.NATS, c.Vendor, c.Connect.APIKey, &c.Connect.APIKey, hidden, c.Settings(), c.Redacted()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T", "%-40v"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "s3cr3t") || strings.Contains(out, fmt.Sprintf("%x", "s3cr3t")) {
				t.Errorf("%s of %T shows the secret: %s", verb, v, out)
			}
		}
		out, err := json.Marshal(v)
		if err != nil || strings.Contains(string(out), "s3cr3t") {
			t.Errorf("JSON of %T: %s, %v", v, out, err)
		}
	}
	if out := c.Redacted(); !strings.Contains(out, "vendor.endpoint: https://[redacted]@vendor.example/api (HEADRACE_VENDOR_ENDPOINT)\n") {
		t.Errorf("what is not secret should stay readable:\n%s", out)
	}
}

func TestConfig_MalformedAddress_ShowsNoSecret(t *testing.T) {
	t.Parallel()
	for _, v := range []string{
		"HEADRACE_VENDOR_ENDPOINT=ftp://u:s3cr3t@v", "HEADRACE_VENDOR_ENDPOINT=http://u:s3cr3t/x@v", "HEADRACE_VENDOR_ENDPOINT=http://u:s3cr3t%zz@v",
		"HEADRACE_NATS_URL=http://u:s3cr3t@v", "HEADRACE_NATS_URL=u:s3cr3t@v:x", "HEADRACE_CONNECT_API_KEY=SU-1 :s3cr3t",
		"HEADRACE_VENDOR_ENDPOINT=http://u:s3cr3t?@v",
	} {
		if _, err := config.Load(sources(t, "", v)); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", v, err)
		}
	}
}

func TestSecret_Equal_ComparesText(t *testing.T) {
	t.Parallel()
	if !config.NewSecret("a").Equal(config.NewSecret("a")) || config.NewSecret("a").Equal(config.NewSecret("b")) {
		t.Error("Equal compares something else")
	}
	if !config.NewSecret("").IsZero() {
		t.Error("an empty secret is not zero")
	}
}
