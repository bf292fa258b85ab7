package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// groups are the headings under which help lists the platform's settings.
var groups = []kong.Group{
	{Key: storage, Title: "Storage:"},
	{Key: "Control room", Title: "Control room:"},
	{Key: "Sign-in", Title: "Sign-in:"},
	{Key: sourcesGroup, Title: "Sources:"},
	{Key: "Warnings", Title: "Warnings:"},
	{Key: messages, Title: "Messages:"},
}

// Groups of settings, as app.Config names them.
const (
	storage      = "Storage"
	sourcesGroup = "Sources"
	messages     = "Messages"
)

const description = `The open platform with which police, partners and the public put connected devices to work for public safety, and defend them from crime.

Try 'bluelamp demo' first: a simulated town, which needs nothing else.

Settings of the platform are flags, environment variables and keys of the configuration file alike, in this order of precedence. 'bluelamp serve --help' lists them all, 'bluelamp config' says what they are now.`

// settingsOf says which groups of settings matter to a command, by its path or
// the first word of that. Those that are not listed need none.
var settingsOf = map[string][]string{
	"premises import": {storage, messages},
	"premises list":   {storage, messages},
	"audit verify":    {storage, messages},
	"edge":            {storage, sourcesGroup, messages},
	"device":          {storage, messages},
	"mapping":         {storage, messages},
	"quarantine":      {storage, messages},
	"hotlist":         {storage, messages},
	"erase":           {storage, messages},
	"backup":          {storage, messages},
	"sense":           {storage, messages},
	"rebuild":         {storage, messages},
	"replay":          {storage, messages},
	"bench ingest":    {messages},
}

// printHelp prints the help of a command with the settings that matter to it,
// or of the program without any: a page that can be read at a glance.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	var names []string
	for n := ctx.Selected(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
		names = append([]string{n.Name}, names...)
	}
	path := strings.Join(names, " ")
	wanted, listed := settingsOf[path]
	if !listed && len(names) > 0 {
		wanted = settingsOf[names[0]]
	}
	switch path {
	case "serve", "demo", "config":
		for _, g := range groups {
			wanted = append(wanted, g.Key)
		}
	}
	for _, f := range ctx.Model.Flags {
		if f.Group != nil && !slices.Contains(wanted, f.Group.Key) {
			f.Hidden = true
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
