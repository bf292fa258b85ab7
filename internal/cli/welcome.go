package cli

import (
	"fmt"

	"github.com/bluelamp/bluelamp/internal/app"
)

// welcome tells the person at the terminal where to go next.
func welcome(e *env, a *app.App) error {
	setup, err := a.SetupURL(e.ctx)
	if err != nil {
		return err
	}
	if setup == "" {
		_, err = fmt.Fprintf(e.Out, "\n  The control room is open: %s\n\n", a.URL())
		return err
	}
	_, err = fmt.Fprintf(e.Out, "\n  Open this link once, to make yourself the first administrator:\n\n    %s\n\n", setup)
	return err
}
