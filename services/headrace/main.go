// Command headrace runs the services, one or all of them, and holds the
// operator's commands. All of it is in package pkg/headrace, from which a
// vendor's own program begins, too.
package main

import "github.com/headrace/headrace/pkg/headrace"

func main() { headrace.Main() }
