package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker, which can reach nothing but package
// variables: -X github.com/headrace/headrace/services/headrace/cli.version=v1.2.3.
var version, commit string

// buildVersion is what the linker was told, else what Go noted of the checkout.
func buildVersion() (string, string) {
	v, c := version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return orUnknown(v), orUnknown(c)
	}
	if v == "" {
		v = info.Main.Version
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && commit == "":
			c = s.Value
		case s.Key == "vcs.modified" && commit == "" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if c != "" {
		c += dirty
	}
	return orUnknown(v), orUnknown(c)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func (p *Program) version() *cobra.Command {
	out := newOutput()
	cmd := &cobra.Command{
		Use: "version", GroupID: groupMore, Short: "Print the version, Go's version and the commit", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			v, c := buildVersion()
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if out.json() {
				return printJSON(p.Stdout, map[string]string{"version": v, "commit": c, "go": runtime.Version(), "platform": platform})
			}
			return printf(p.Stdout, "headrace %s\ncommit   %s\ngo       %s %s\n", v, c, runtime.Version(), platform)
		},
	}
	out.flag(cmd)
	return cmd
}
