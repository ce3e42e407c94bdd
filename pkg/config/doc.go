// Package config reads Headrace's settings, once: a YAML file, overridden by
// the environment. It tells every fault at once, each with the name that the
// user wrote and with what to do, and never prints a secret. It opens no
// connection; of the file system it touches the configuration file, the key
// file and the TLS files' names alone.
package config
