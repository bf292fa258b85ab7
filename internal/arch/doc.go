// Package arch keeps the house in order: it reads which package imports which,
// and says which imports go against the design.
//
// Imports point down only, floor by floor:
//
//	cmd
//	app, cli
//	web
//	mission packages (sense, detect, incident ...), which never import each other
//	bus, store, audit, auth, seal
//	event, place, clock
//	protocol, which uses the standard library only
//
// In comes a source tree ([Load]) or a made-up [Graph]; out come sentences
// ([Check]), one for each import that breaks a rule, and one for each package
// that does not introduce itself with a package comment. Only what ships is
// read: a test may reach further to set up its scene.
//
// Start reading at [Check]. A new package at the top of internal needs a place
// on a floor: see floors in rooms.go.
package arch
