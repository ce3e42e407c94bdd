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
)

// guest is the content of listen.json. URL is a proposal: the address by which
// others reach this machine may be another.
type guest struct {
	URL      string `json:"url"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// loadGuest reads the credential of earlier runs, so that processes elsewhere
// keep theirs, or makes one.
func loadGuest(dir string) (guest, error) {
	path := filepath.Join(dir, listenFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return guest{User: servicesUser, Password: rand.Text()}, nil
	}
	if err != nil {
		return guest{}, fmt.Errorf("read credential for others: %w", err)
	}
	var g guest
	if err := json.Unmarshal(text, &g); err != nil {
		return guest{}, fmt.Errorf("parse %s (remove it to have a new credential made): %w", path, err)
	}
	if g.User == "" || g.User == ownerUser || g.Password == "" {
		return guest{}, fmt.Errorf("parse %s (remove it to have a new credential made): user or password is missing", path)
	}
	return g, nil
}

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
