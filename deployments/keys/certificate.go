package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// certificates makes those that are missing.
func (k keys) certificates() error {
	const tenYears = 10 * 365 * 24 * time.Hour
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Headrace cluster"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if err := k.certificate("private/ca", ca, tenYears); err != nil {
		return err
	}
	text, err := os.ReadFile(k.path("private/ca.pem"))
	if err != nil {
		return err
	}
	for _, to := range []string{"node", "client", "operator"} {
		if err := k.write(to+"/ca.pem", text); err != nil {
			return err
		}
	}
	// A node is the server of clients, and both ends of the routes to other nodes.
	node := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Headrace node"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range k.hosts {
		if ip := net.ParseIP(h); ip != nil {
			node.IPAddresses = append(node.IPAddresses, ip)
		} else {
			node.DNSNames = append(node.DNSNames, h)
		}
	}
	client := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Headrace services"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	return errors.Join(k.certificate("node/node", node, k.valid), k.certificate("client/client", client, k.valid))
}

// certificate makes name.pem and name-key.pem, unless they are there. It is
// signed by the authority, which signs itself.
func (k keys) certificate(name string, c *x509.Certificate, valid time.Duration) error {
	keyName := name + "-key.pem"
	if k.has(name+".pem") && k.has(keyName) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return err
	}
	// Clocks differ.
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(valid)
	parent, signer := c, key
	if !c.IsCA {
		if parent, signer, err = k.authority(); err != nil {
			return err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		k.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		k.write(keyName, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	)
}

func (k keys) authority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	der, err := k.block("private/ca.pem")
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	if der, err = k.block("private/ca-key.pem"); err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("private/ca-key.pem is no ECDSA key")
	}
	return ca, private, nil
}

func (k keys) block(name string) ([]byte, error) {
	text, err := os.ReadFile(k.path(name))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New(name + " is no PEM")
	}
	return block.Bytes, nil
}
