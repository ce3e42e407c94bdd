// Command keys makes what a cluster of NATS servers needs to admit nobody else:
// a certificate authority of its own, the nodes' certificate, the accounts, and
// credentials for the services and for people. It needs no network. What is
// there already stays as it is, so to renew a file delete it and run keys again.
//
//	go run ./deployments/keys -dir deployments/cluster-keys -hosts nats-1,nats-2,nats-3
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	dir := flag.String("dir", "deployments/cluster-keys", "where the files are written")
	hosts := flag.String("hosts", "nats-1,nats-2,nats-3", "names and addresses of the nodes, as clients and nodes reach them")
	days := flag.Int("days", 825, "how long the certificates are good; the authority's for ten years")
	flag.Parse()
	k := keys{dir: *dir, hosts: strings.Split(*hosts, ","), valid: time.Duration(*days) * 24 * time.Hour}
	if err := k.make(); err != nil {
		fmt.Fprintln(os.Stderr, "keys:", err)
		os.Exit(1)
	}
	fmt.Printf("wrote %s: node for the brokers, client for the services, operator for people, private for nobody\n", *dir)
}

// keys is one directory of them:
//
//	node/      ca.pem node.pem node-key.pem accounts.conf   for nats-server
//	client/    ca.pem client.pem client-key.pem services.creds
//	operator/  ca.pem operator.creds admin.creds            admin is of the system account
//	private/   what the rest was signed with; keep it off the nodes
type keys struct {
	dir   string
	hosts []string
	valid time.Duration
}

func (k keys) make() error {
	// Containers read the files as users of their own, so the files are readable,
	// and the directory around them is not.
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	for _, sub := range []string{"node", "client", "operator", "private"} {
		if err := os.MkdirAll(filepath.Join(k.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := k.certificates(); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	if err := k.accounts(); err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	return nil
}

func (k keys) path(name string) string { return filepath.Join(k.dir, filepath.FromSlash(name)) }

func (k keys) has(name string) bool {
	_, err := os.Stat(k.path(name))
	return err == nil
}

// write writes a file whole or not at all.
func (k keys) write(name string, content []byte) error {
	mode := os.FileMode(0o644)
	if strings.HasPrefix(name, "private/") {
		mode = 0o600
	}
	part := k.path(name) + ".part"
	if err := os.WriteFile(part, content, mode); err != nil {
		return err
	}
	return os.Rename(part, k.path(name))
}
