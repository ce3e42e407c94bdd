package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// accounts makes node/accounts.conf, which has an account for our streams and one
// for the brokers' own matters, and the credentials of their users.
func (k keys) accounts() error {
	operator, err := k.seed("operator", nkeys.CreateOperator)
	if err != nil {
		return err
	}
	account, err := k.seed("account", nkeys.CreateAccount)
	if err != nil {
		return err
	}
	system, err := k.seed("system", nkeys.CreateAccount)
	if err != nil {
		return err
	}
	if !k.has("node/accounts.conf") {
		if err := k.resolver(operator, account, system); err != nil {
			return err
		}
	}
	return errors.Join(
		k.user("client/services.creds", "services", account, services()),
		k.user("operator/operator.creds", "operator", account, jwt.Permissions{}),
		k.user("operator/admin.creds", "admin", system, jwt.Permissions{}),
	)
}

// services may all that the services do: store and read below fulfillment, and
// declare streams and consumers. They delete nothing but the consumers they
// read with.
func services() jwt.Permissions {
	return jwt.Permissions{
		Pub: jwt.Permission{
			Allow: jwt.StringList{"fulfillment.>", "$JS.API.>", "$JS.ACK.>"},
			Deny: jwt.StringList{
				"$JS.API.STREAM.DELETE.*", "$JS.API.STREAM.PURGE.*", "$JS.API.STREAM.MSG.DELETE.*",
				"$JS.API.STREAM.RESTORE.*", "$JS.API.STREAM.SNAPSHOT.*",
			},
		},
		Sub: jwt.Permission{Allow: jwt.StringList{"_INBOX.>"}},
	}
}

func (k keys) resolver(operator, account, system nkeys.KeyPair) error {
	op, sys := jwt.NewOperatorClaims(public(operator)), jwt.NewAccountClaims(public(system))
	op.Name, sys.Name, op.SystemAccount = "headrace", "SYS", public(system)
	acc := jwt.NewAccountClaims(public(account))
	acc.Name = "HEADRACE"
	acc.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		MaxAckPending: jwt.NoLimit, MemoryMaxStreamBytes: jwt.NoLimit, DiskMaxStreamBytes: jwt.NoLimit,
	}
	var tokens []any
	for _, c := range []jwt.Claims{op, sys, acc} {
		token, err := c.Encode(operator)
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	return k.write("node/accounts.conf", fmt.Appendf(nil, `# Made by deployments/keys. It says who may sign users; no secret is in it.
operator: %[1]s
system_account: %[4]s
resolver: MEMORY
resolver_preload: {
  %[4]s: %[2]s
  %[5]s: %[3]s
}
`, append(tokens, public(system), public(account))...))
}

// user makes credentials, unless they are there.
func (k keys) user(file, name string, account nkeys.KeyPair, may jwt.Permissions) error {
	if k.has(file) {
		return nil
	}
	key, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	claims := jwt.NewUserClaims(public(key))
	claims.Name, claims.Permissions = name, may
	token, err := claims.Encode(account)
	if err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	seed, err := key.Seed()
	if err != nil {
		return err
	}
	text, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		return err
	}
	return k.write(file, text)
}

// seed reads private/name.nk, or makes it.
func (k keys) seed(name string, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, error) {
	file := "private/" + name + ".nk"
	if k.has(file) {
		text, err := os.ReadFile(k.path(file))
		if err != nil {
			return nil, err
		}
		return nkeys.FromSeed(text)
	}
	key, err := create()
	if err != nil {
		return nil, err
	}
	text, err := key.Seed()
	if err != nil {
		return nil, err
	}
	return key, k.write(file, text)
}

// public is a key's public half: those that were made or read here have one.
func public(key nkeys.KeyPair) string {
	text, err := key.PublicKey()
	if err != nil {
		return "" // nothing is signed for a key without a name
	}
	return text
}
