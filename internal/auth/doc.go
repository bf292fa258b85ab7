// Package auth knows the people who work with Bluelamp: who they are, what their
// roles let them do, and how they sign in.
//
// What comes in: names and passwords, or what an identity provider says of
// somebody (OpenID Connect). What goes out: a [Person] in the request's context,
// and the answer to "may this person do that?" ([Person.Can], [Auth.Require]).
//
// People are events on the PEOPLE stream, kept in memory by a [Directory]; their
// password hashes are sealed. Sessions are rows of a table, and the only ones
// that no log could restore: losing them means signing in again. Every sign-in,
// refusal, sign-out and change of a person is on the audit log before it has any
// effect.
//
// Start reading at role.go, then directory.go, then signin.go.
package auth
