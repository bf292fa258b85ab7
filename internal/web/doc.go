// Package web is the control room: the pages, the live board's stream and the
// JSON API, over the packages that do the work.
//
// What comes in: requests of browsers and programs, and word of every commit of
// the incidents' read model ([Feed.Notify]). What goes out: HTML that works
// without scripts, server-sent events, JSON described at /api/openapi.json.
//
// Every route stands in one table (routes.go) with the permission that it asks
// for. Every page is rendered in one way (page.go), every form in one way
// (form.go), every failure is told in one way (failure.go). What a person does,
// and every look at personal data, is on the audit log before it happens.
//
// Start reading at [Deps], then routes.go.
package web
