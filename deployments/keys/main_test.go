package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func made(t *testing.T, k keys) map[string]string {
	t.Helper()
	if err := k.make(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(k.dir, "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[f] = string(text)
	}
	return all
}

func TestMake_Again_RenewsOnlyWhatIsGone(t *testing.T) {
	t.Parallel()
	k := keys{dir: filepath.Join(t.TempDir(), "keys"), hosts: []string{"nats-1", "127.0.0.1"}, valid: time.Hour}
	first := made(t, k)
	if diff := cmp.Diff(first, made(t, k)); diff != "" {
		t.Errorf("what was there has changed: %s", diff)
	}
	if err := os.Remove(k.path("node/node.pem")); err != nil {
		t.Fatal(err)
	}
	again := made(t, k)
	for f, text := range first {
		renewed := f == k.path("node/node.pem") || f == k.path("node/node-key.pem")
		if (again[f] != text) != renewed {
			t.Errorf("%s: changed %v, want %v", f, again[f] != text, renewed)
		}
	}
}

func TestMake_NodeCertificate_IsTheAuthoritysForEachHost(t *testing.T) {
	t.Parallel()
	k := keys{dir: filepath.Join(t.TempDir(), "keys"), hosts: []string{"nats-1", "127.0.0.1"}, valid: time.Hour}
	all := made(t, k)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(all[k.path("client/ca.pem")]))
	der, err := k.block("node/node.pem")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range k.hosts {
		for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if info, err := os.Stat(k.path("private/ca-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v, %v", info, err)
	}
	if info, err := os.Stat(k.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
}
