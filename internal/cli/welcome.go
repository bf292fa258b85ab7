package cli

import (
	"fmt"

	"github.com/bluelamp/bluelamp/internal/app"
)

// welcome tells the person at the terminal where to go next.
func welcome(e *env, a *app.App) {
	fmt.Fprintf(e.Out, "\nThe control room is open at %s\n\n", a.URL())
}
