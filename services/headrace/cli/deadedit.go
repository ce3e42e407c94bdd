package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/headrace/headrace/pkg/deadletter"
	"github.com/headrace/headrace/pkg/stream"
)

// edited has the operator edit the letter's body. Whether the letter could be
// sent at all is looked at first.
func (p *Program) edited(cmd *cobra.Command, c *stream.Client, e deadletter.Entry, f redriving, r deadletter.Redrive) ([]byte, error) {
	editor := p.editor()
	if editor == "" {
		return nil, errors.New("--edit: set VISUAL or EDITOR to the editor to use, or send a file with --body")
	}
	if _, err := deadletter.PlanSend(cmd.Context(), c, e, r); err != nil {
		return nil, err
	}
	v, err := viewOf(cmd, c, e, f.reveal, f.by)
	if err != nil {
		return nil, err
	}
	draft, err := deadletter.NewDraft(v)
	if errors.Is(err, deadletter.ErrMasked) {
		return nil, fmt.Errorf("edit %s: its body is not JSON and has what looks like a credential: edit it with --reveal", e.ID)
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "headrace-") // which nobody else may enter
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", e.ID, err)
	}
	file := filepath.Join(dir, "letter-"+e.ID+".json")
	saved, err := p.letEdit(cmd, editor, file, draft.Text)
	var body []byte
	if err == nil {
		body, err = draft.Take(saved)
	}
	if err == nil || f.reveal || errors.Is(err, deadletter.ErrUnchanged) || saved == nil {
		if failed := os.RemoveAll(dir); failed != nil {
			return nil, fmt.Errorf("edit %s: %w", e.ID, failed) // it may hold a password
		}
		return body, notSent(err)
	}
	return nil, fmt.Errorf("%w; what you wrote is in %s: mend it and send it with --body", notSent(err), file)
}

// letEdit runs the editor on text, as git does: by the shell, since an editor
// may come with arguments.
func (p *Program) letEdit(cmd *cobra.Command, editor, file string, text []byte) ([]byte, error) {
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	run := exec.CommandContext(cmd.Context(), "sh", "-c", editor+` "$@"`, editor, file)
	run.Stdin, run.Stdout, run.Stderr, run.Env = p.Stdin, p.Stderr, p.Stderr, p.Environ
	if f, ok := p.Stdout.(*os.File); ok && terminal(f) {
		run.Stdout = f // what is printed goes to the standard output else
	}
	if err := run.Run(); err != nil {
		return nil, fmt.Errorf("the editor %q: %w", editor, err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	return b, nil
}

func (p *Program) editor() string {
	for _, name := range []string{"VISUAL=", "EDITOR="} {
		for _, v := range p.Environ {
			if value, ok := strings.CutPrefix(v, name); ok && strings.TrimSpace(value) != "" {
				return value
			}
		}
	}
	return ""
}

// notSent says of an edited body what is wrong with it, and that nothing was
// sent.
func notSent(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("nothing is sent: %w", err)
}

// sendable is the body of a file; one that changes nothing is none.
func sendable(body []byte, err error) ([]byte, error) {
	if errors.Is(err, deadletter.ErrUnchanged) {
		return nil, nil
	}
	return body, notSent(err)
}
