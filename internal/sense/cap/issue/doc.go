// Package issue is where the force issues warnings to the public.
//
// What comes in: what people do ([Office.Do]). One person writes a draft, another
// approves it, and with that it is issued: a signed CAP 1.2 message on the log
// that is never changed. A warning that was issued is updated or cancelled by
// further messages, each written and approved in the same way, which refer to all
// messages before them. What goes out: changes on the log, and their read model for
// the public's page and feed ([Projection], [Queries]).
//
// It lives beside package cap, which takes in the warnings of others, because both
// speak one protocol and nothing else in the platform does.
//
// Start reading at [Warning], then [Office].
package issue
