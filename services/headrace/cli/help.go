package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/config"
)

// usageTemplate is cobra's, with our order (what, how, examples, then flags)
// and with the environment at its end.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Environment:
  HEADRACE_... variables hold the settings and override those of the YAML file:
  see "headrace help settings".{{if .HasAvailableSubCommands}}

More about a command with: {{.CommandPath}} COMMAND --help{{end}}
`

// settingsTopic is a page of help, not a command: it cannot be run.
func settingsTopic() *cobra.Command {
	return &cobra.Command{Use: "settings", Short: "All settings, their variables and defaults", Long: settingsText()}
}

func settingsText() string {
	var b strings.Builder
	b.WriteString(`Settings come from a YAML file (--config, else HEADRACE_CONFIG, else
./headrace.yaml if it is there), overridden by the environment. The key of the
file is in brackets; each dot in it is a level of the file.

`)
	for _, s := range config.Default().Settings() {
		if _, service, _ := strings.Cut(s.Key, "concurrency."); service != "" && service != "default" {
			continue
		}
		fmt.Fprintf(&b, "  %s (%s)\n      %s", s.Variable, s.Key, s.Help)
		if s.Value != "" {
			fmt.Fprintf(&b, "; default %s", s.Value)
		}
		b.WriteString("\n")
		switch s.Key {
		case "connect.api_key":
			b.WriteString("  HEADRACE_CONNECT_API_KEY_FILE (connect.api_key_file)\n      a file that holds the key, in its place\n")
		case "concurrency.default":
			b.WriteString("  HEADRACE_CONCURRENCY_<SERVICE> (concurrency.<service>)\n      the same for one of " +
				strings.Join(config.Services(), " ") + "\n")
		case "total_concurrency.default":
			b.WriteString("  HEADRACE_TOTAL_CONCURRENCY_<SERVICE> (total_concurrency.<service>)\n      the same for one service\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
