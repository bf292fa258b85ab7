// Package misuse decides what to tell people of devices that do what they may
// not: publish to another's topics, come with a wrong secret, flood, send too
// much at once, or have their radio frames played again.
//
// What comes in: observations of misuse, in which whoever met it has counted it
// already. What goes out: an alert when a device begins with it, and a revision
// when the count reaches ten, a hundred and so on, so that a device which does
// it a million times is told of seven times. What is quiet for an hour and comes
// back is a new cause.
//
// Start reading at [Detector].
package misuse
