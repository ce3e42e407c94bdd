package broker

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

const (
	listenFile = "listen.json"
	// ownerUser is this process and the operator's commands, servicesUser the
	// processes elsewhere.
	ownerUser    = "headrace"
	servicesUser = "services"
	// readerUser is the programs of other teams.
	readerUser = "reader"
)

// guest is the content of listen.json. URL is a proposal: the address by which
// others reach this machine may be another. The user of the services is beside
// it, where versions without a reader had it.
type guest struct {
	URL string `json:"url"`
	credential
	Reader credential `json:"reader"`
}

type credential struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// loadGuest reads the credential of earlier runs, so that processes elsewhere
// keep theirs, or makes one.
func loadGuest(dir string) (guest, error) {
	path := filepath.Join(dir, listenFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return guest{credential: newCredential(servicesUser), Reader: newCredential(readerUser)}, nil
	}
	if err != nil {
		return guest{}, fmt.Errorf("read credential for others: %w", err)
	}
	var g guest
	if err := json.Unmarshal(text, &g); err != nil {
		return guest{}, fmt.Errorf("parse %s (remove it to have a new credential made): %w", path, err)
	}
	if g.Reader.Password == "" { // of an earlier version
		g.Reader = newCredential(readerUser)
	}
	for _, c := range []credential{g.credential, g.Reader} {
		if c.User == "" || c.User == ownerUser || c.User == mirrorUser || c.Password == "" {
			return guest{}, fmt.Errorf("parse %s (remove it to have a new credential made): user or password is missing", path)
		}
	}
	if g.User == g.Reader.User {
		return guest{}, fmt.Errorf("parse %s (remove it to have a new credential made): services and reader are one user", path)
	}
	return g, nil
}

func newCredential(user string) credential { return credential{User: user, Password: rand.Text()} }

// listenURL is how others might write the address that addr is bound to.
func listenURL(addr *net.TCPAddr) string {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return natsURL(host, addr.Port)
}

// ownURL is how this machine reaches addr.
func ownURL(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return natsURL("127.0.0.1", addr.Port)
	}
	return natsURL(addr.IP.String(), addr.Port)
}

func natsURL(host string, port int) string {
	return "nats://" + net.JoinHostPort(host, fmt.Sprint(port))
}
